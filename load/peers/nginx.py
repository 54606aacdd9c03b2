"""nginx as the limit: a door that answers 202 to anything, and a plain proxy to the upstream without any queue."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from load.bench.processes import Program

_CONFIG: Final = """\
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 2048; }}
http {{
  access_log off; keepalive_requests 1000000000; client_max_body_size 1m; client_body_buffer_size 16k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream sink {{ server 127.0.0.1:{sink}; keepalive 256; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{door} backlog=1024; location / {{ default_type text/plain; return 202 ok; }} }}
  server {{
    listen 127.0.0.1:{proxy} backlog=1024;
    location / {{
      proxy_pass http://sink; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
    }}
  }}
}}
"""


def is_here() -> bool:
    """Whether nginx is installed."""
    return shutil.which("nginx") is not None


def program(folder: Path, door: int, proxy: int, sink: int) -> Program:
    """The process: `return 202` on one port, the proxy to the sink on another."""
    folder.mkdir(exist_ok=True)
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, door=door, proxy=proxy, sink=sink))
    words = (shutil.which("nginx") or "nginx", "-c", str(config), "-e", str(folder / "start.log"))
    return Program("nginx", words, folder / "nginx.log")
