/** @module */
import assert from "node:assert/strict";
import { type Surroundings, surroundingWarnings } from "../../src/app/surroundings.ts";

const PLAIN: Surroundings = {
  userId: 1000,
  pid: 4711,
  isBun: false,
  environment: {},
  exists: () => false,
};

Deno.test("H65: root outside of a container is warned of", () => {
  assert.deepEqual(surroundingWarnings(PLAIN), []);
  assert.deepEqual(surroundingWarnings({ ...PLAIN, userId: null }), []);
  const root = { ...PLAIN, userId: 0 };
  assert.match(surroundingWarnings(root).join("\n"), /^runs as root: .*srs-edge install/);
  const contained: Partial<Surroundings>[] = [
    { pid: 1 },
    { exists: (path) => path === "/.dockerenv" },
    { exists: (path) => path === "/run/.containerenv" },
    { environment: { container: "lxc" } },
    { environment: { KUBERNETES_SERVICE_HOST: "127.0.0.1" } },
  ];
  for (const some of contained) assert.deepEqual(surroundingWarnings({ ...root, ...some }), []);
});

Deno.test("H65: Bun's settings around the server are warned of", () => {
  const around = { ...PLAIN, environment: { BUN_OPTIONS: "--preload x" } };
  assert.deepEqual(surroundingWarnings(around), [], "Deno does not look at it");
  assert.match(surroundingWarnings({ ...around, isBun: true }).join(), /^BUN_OPTIONS is set/);
});
