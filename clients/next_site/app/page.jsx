"use client";
import { usePlausible } from "next-plausible";

export default function Page() {
  const plausible = usePlausible();
  return (
    <button id="buy" onClick={() => plausible("Purchase", { props: { plan: "trial" } })}>
      Buy
    </button>
  );
}
