/**
 * A session that waits for somebody else's word: nothing of what the peer sends is lost, reordered or
 * handled early, and whatever happens in the meantime is in order.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Answer, ErrorCode } from "../../src/rtmp/error.ts";
import { concat } from "./hex.ts";
import { command, type Peer, recipe, type Sent, TestServer } from "./support/rtmp_peer.ts";

const KEYFRAME = concat("17 01 000000 00000001 65");

/** A server whose publishers wait until a test says so. */
class WaitingServer extends TestServer {
  readonly answers: Answer[] = [];
  readonly #own = this.host.claims;
  held = true;

  constructor() {
    super(recipe());
    Object.assign(this.host, {
      claims: {
        clear: this.#own.clear,
        claim: (...[stream, address, answer]: Parameters<typeof this.host.claims.claim>) => {
          if (this.held) this.answers.push(answer);
          else this.#own.claim(stream, address, answer);
        },
      },
    });
  }
}

function video(timestamp: number): Sent {
  return { type: 9, payload: KEYFRAME, timestamp, csid: 6 };
}

function publishing(server: TestServer): Peer {
  const peer = server.created();
  peer.send(command("publish", 5, null, "s", "live"));
  return peer;
}

Deno.test("until the verdict nothing is answered or read, then all of it in order", () => {
  const server = new WaitingServer();
  const player = server.player();
  const peer = publishing(server);
  assert.deepEqual(peer.answers(), []);
  assert.equal(peer.socket.reading, false);
  peer.send(video(0), video(40));
  peer.send(video(80));
  assert.deepEqual(player.answers(), []);
  assert.equal(server.answers[0](null), true);
  assert.deepEqual(peer.answers().map((answer) => answer[3]), ["onStatus"]);
  assert.equal(player.received().filter(({ type }) => type === 9).length, 3);
  assert.equal(peer.socket.reading, true);
  assert.equal(server.answers[0](null), false, "one verdict is enough");
});

Deno.test("a refusal is told, then the connection ends", () => {
  const server = new WaitingServer();
  const peer = publishing(server);
  peer.send(video(0));
  server.answers[0]({ code: ErrorCode.STREAM_BUSY, reason: "no" });
  peer.assertClosed(ErrorCode.STREAM_BUSY, /no/);
});

Deno.test("a client that leaves, is kicked, or is told to stop while it waits: the verdict is void", () => {
  for (const end of ["onClose", "kick", "shutdown"] as const) {
    const server = new WaitingServer();
    const peer = publishing(server);
    if (end === "onClose") peer.session.onClose(null);
    else peer.session[end]();
    assert.equal(server.answers[0](null), false, end);
    assert.equal([...server.hub.streams][0].published, false);
  }
});

Deno.test("a verdict that does not come ends the connection", () => {
  const server = new WaitingServer();
  const peer = publishing(server);
  server.pass(12_000);
  peer.assertClosed(ErrorCode.TIMEOUT, /no verdict within 10000 ms/);
  assert.equal(server.answers[0](null), false);
});

Deno.test("wherever reads are cut and whenever the verdict comes, it is as if it had been there at once", () => {
  const run = (held: boolean, cuts: readonly number[], at: number) => {
    const server = new WaitingServer();
    server.held = held;
    const player = server.player();
    const peer = server.created();
    const bytes = concat(
      ...[
        command("publish", 5, null, "s", "live"),
        video(0),
        video(40),
        command("FCUnpublish", 6, null, "s"),
        command("createStream", 7, null),
        command("publish", 8, null, "t", "live"),
        video(80),
      ].map((message) => peer.encode(message)),
    );
    let from = 0;
    const ends = [...cuts.map((cut) => cut % bytes.length), bytes.length].sort((a, b) => a - b);
    ends.forEach((end, i) => {
      peer.feed(bytes.subarray(from, end));
      from = end;
      if (i >= at) { while (server.answers.length > 0) server.answers.shift()?.(null); }
    });
    while (server.answers.length > 0) server.answers.shift()?.(null);
    return { answers: peer.answers(), played: player.answers(), roles: server.roles };
  };
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { maxLength: 12 }), fc.nat(12), (cuts, at) => {
      assert.deepEqual(run(true, cuts, at), run(false, [], 0));
    }),
  );
});
