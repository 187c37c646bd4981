/**
 * What systemd is told, by a real socket.
 * @module
 */
import assert from "node:assert/strict";

import { ServiceManager, watchdogMs } from "../../src/app/service.ts";
import { within } from "../tools/process.ts";
import { FakeTime } from "./support/fake_time.ts";

/** ms within which a word must have come. */
const LIMIT_MS = 5000;

Deno.test({
  name:
    "F31: a drain is not a stop: systemd would count TimeoutStopSec and kill the clients' server",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    using time = new FakeTime();
    const folder = await Deno.makeTempDir({ prefix: "srs-edge-unit-" });
    const path = `${folder}/notify.sock`;
    const socket = Deno.listenDatagram({ transport: "unixpacket", path });
    try {
      const next = async () => {
        const [bytes] = await within("a word to systemd", LIMIT_MS, socket.receive());
        return new TextDecoder().decode(bytes);
      };
      const manager = await ServiceManager.find({ NOTIFY_SOCKET: path });
      manager.ready({});
      assert.equal(await next(), "READY=1");
      manager.draining();
      assert.match(await next(), /^STATUS=draining/);
      // Should it count already, as after SIGTERM with `force_grace_quit on`, it is asked for more: at once,
      // as its patience may be over before the next sign is due.
      assert.match(await next(), /^EXTEND_TIMEOUT_USEC=[1-9][0-9]{6,}$/);
      time.tick(2000);
      assert.match(await next(), /^EXTEND_TIMEOUT_USEC=6000000$/, "before it is over");
      manager.stopping();
      assert.equal(await next(), "STOPPING=1");
    } finally {
      socket.close();
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("the watchdog's limit is what systemd says, in ms", () => {
  assert.equal(watchdogMs({ WATCHDOG_USEC: "30000000" }), 30_000);
  for (const WATCHDOG_USEC of [undefined, "", "0", "-1", "often"]) {
    assert.equal(watchdogMs({ WATCHDOG_USEC }), 0);
  }
});

Deno.test("F31: the unit stops the server by SIGTERM, and drains nothing by itself", async () => {
  const unit = await Deno.readTextFile(new URL("../../conf/srs-edge.service", import.meta.url));
  const settings = new Map(
    unit.split("\n").filter((line) => /^\w+=/.test(line)).map((line) => {
      const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
      return [name, value];
    }),
  );
  assert.equal(settings.get("ExecStop"), undefined);
  assert.equal(settings.get("KillSignal") ?? "SIGTERM", "SIGTERM");
  assert.equal(settings.get("KillMode"), "mixed");
  const seconds = Number(settings.get("TimeoutStopSec"));
  assert.ok(seconds >= 5 && seconds <= 15, "more than a stop may take, and not much more");
});
