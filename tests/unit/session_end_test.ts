/**
 * What a connection's end counts as, for the host that is told of it.
 * @module
 */

import assert from "node:assert/strict";
import { concat } from "./hex.ts";
import { command, type Peer, recipe, TestServer } from "./support/rtmp_peer.ts";

/** A server whose host keeps, with each change of a role, whether the session has failed by then. */
function scene() {
  const server = new TestServer(recipe());
  const all = new Map<string, string[]>();
  const { roleChanged } = server.host;
  Object.assign(server.host, {
    roleChanged: (...[session, role]: Parameters<typeof roleChanged>) => {
      const told = all.get(session.id) ?? [];
      all.set(session.id, told);
      // Until it has had a role, that it has none is no news.
      if (!role && told.length === 0) return;
      told.push(`${role?.type ?? "-"} ${session.failed ? "failed" : "through"}`);
    },
  });
  return { server, toldOf: ({ session }: Peer) => all.get(session.id) };
}

const DURATION_MS = 1000;
const KEYFRAME = concat("17 01 000000 00000001 65");

Deno.test("a player that has had what it asked for is through; every other end is a failure", () => {
  const rows: [string, (peer: Peer) => void, string][] = [
    ["its duration is over", ({ server }) => {
      const publisher = server.publisher();
      for (let time = 0; time <= 2 * DURATION_MS; time += 40) {
        publisher.send({ type: 9, payload: KEYFRAME, timestamp: time, csid: 6 });
      }
      server.pass(2000);
    }, "through"],
    ["it goes", ({ session }) => session.onClose(null), "failed"],
    ["it is lost", ({ session }) => session.onClose(new Error("ECONNRESET")), "failed"],
    [
      "it breaks the protocol",
      (peer) => peer.feed(concat("02 000000 000004 01 00000000 00000000")),
      "failed",
    ],
    ["it is kicked", ({ session }) => session.kick(), "failed"],
    ["the server stops", ({ session }) => session.shutdown(), "failed"],
    ["a fault of ours", ({ session }) => session.fault(new Error("ours")), "failed"],
  ];
  for (const [name, end, expected] of rows) {
    const { server, toldOf } = scene();
    const peer = server.created();
    peer.send(command("play", 3, null, "s", 0, DURATION_MS / 1000));
    assert.deepEqual(toldOf(peer), ["rtmp-play through"], name);
    end(peer);
    assert.deepEqual(toldOf(peer), ["rtmp-play through", `- ${expected}`], name);
    // The socket's own end comes later, and changes nothing.
    if (server.finished.length === 0) peer.session.onClose(null);
    assert.equal(peer.session.failed, expected === "failed", name);
    assert.deepEqual(toldOf(peer)?.length, 2, `${name}: once`);
    assert.deepEqual(server.finished, [peer.session.id], name);
  }
});

Deno.test("a publisher that stops and stays is through; one that goes then has no role to fail in", () => {
  const { server, toldOf } = scene();
  const peer = server.publisher();
  peer.send(command("FCUnpublish", 6, null, "s"));
  assert.deepEqual(toldOf(peer), ["fmle-publish through", "- through"]);
  peer.session.onClose(null);
  assert.equal(peer.session.failed, true);
  assert.deepEqual(toldOf(peer)?.slice(2), ["- failed"], "the registry knows of none by then");
});

Deno.test("F31: a connection that has been shut down and stays is cut off", () => {
  const server = new TestServer();
  const peer = server.player();
  peer.socket.busy = true;
  peer.session.shutdown();
  assert.equal(peer.socket.state, "closed", "after its last bytes");
  peer.session.abort();
  assert.equal(peer.socket.state, "aborted");
});
