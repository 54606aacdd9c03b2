// A site's edge, in the place of nginx or a load balancer: a real HTTP server that passes every request on and says whose
// it is. `node edge.mjs ADDRESS TARGET`: the visitor's address (`-`: say nothing), and where all goes.
import http from "node:http";

const [address, target] = process.argv.slice(2);

const edge = http.createServer((request, answer) => {
  const headers = { ...request.headers };
  if (address !== "-") headers["x-forwarded-for"] = address;
  const passed = http.request(target, { path: request.url, method: request.method, headers }, (from) => {
    answer.writeHead(from.statusCode, from.headers);
    from.pipe(answer);
  });
  passed.on("error", () => answer.destroy());
  request.pipe(passed);
});
edge.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${edge.address().port}`));
