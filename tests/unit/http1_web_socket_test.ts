/**
 * WebSockets: the handshake, the frames to a client, and what a client may say.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_CLIENT_BYTES } from "../../src/http1/limits.ts";
import {
  binaryFrame,
  ClientFrames,
  closeFrame,
  handshakeFields,
} from "../../src/http1/web_socket.ts";

function request(headers: Record<string, string>, method = "GET"): Request {
  return new Request("http://h/live/s.flv", { method, headers });
}

/** The example of RFC 6455 §1.3. */
const HANDSHAKE = {
  "Upgrade": "WebSocket",
  "Connection": "keep-alive, Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
};

Deno.test("WebSocket: the handshake of RFC 6455 §1.3; the first subprotocol is chosen (F13)", () => {
  const accepted = ["Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="];
  const upgrade = [["Upgrade", "websocket"], ["Connection", "Upgrade"], accepted];
  assert.deepEqual(handshakeFields(request(HANDSHAKE)), upgrade);
  assert.deepEqual(
    handshakeFields(request({ ...HANDSHAKE, "Sec-WebSocket-Protocol": "bad one,flv ,binary" })),
    [...upgrade, ["Sec-WebSocket-Protocol", "flv"]],
  );
  for (const [name, value] of [["Connection", "close"], ["Sec-WebSocket-Key", "short"]]) {
    assert.equal(handshakeFields(request({ ...HANDSHAKE, [name]: value })), null, name);
  }
  assert.equal(handshakeFields(request({ ...HANDSHAKE, "Sec-WebSocket-Version": "8" })), null);
  assert.equal(handshakeFields(request(HANDSHAKE, "POST")), null);
});

Deno.test("WebSocket: frames say their length in 7, 16 or 64 bits", () => {
  const head = (size: number) => [...binaryFrame(new Uint8Array(size)).subarray(0, 10)];
  assert.deepEqual(head(125).slice(0, 3), [0x82, 125, 0]);
  assert.deepEqual(head(126).slice(0, 5), [0x82, 126, 0, 126, 0]);
  assert.deepEqual(head(65_535).slice(0, 5), [0x82, 126, 255, 255, 0]);
  assert.deepEqual(head(65_536), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
  assert.deepEqual([...binaryFrame(new Uint8Array([1, 2, 3]))], [0x82, 3, 1, 2, 3]);
  assert.deepEqual([...closeFrame(1000)], [0x88, 2, 3, 232]);
});

const MASK = [1, 2, 3, 4];

/** A client's frame; `announced`: the length that it states. */
function clientFrame(first: number, payload: number[], announced = payload.length): number[] {
  const length = announced < 126 ? [announced] : [126, announced >> 8, announced & 255];
  length[0] |= 0x80;
  return [first, ...length, ...MASK, ...payload.map((byte, at) => byte ^ MASK[at % 4])];
}

function told(
  bytes: number[],
  sizes: readonly number[] = [],
): { answers: number[][]; close: boolean } {
  const frames = new ClientFrames();
  const answers: number[][] = [];
  const all = Uint8Array.from(bytes);
  let at = 0;
  for (const size of [...sizes, all.length]) {
    const wish = frames.push(all.subarray(at, at + size));
    answers.push(...wish.answers.map((answer) => [...answer]));
    if (wish.close) return { answers, close: true };
    at = Math.min(all.length, at + size);
  }
  return { answers, close: false };
}

Deno.test("WebSocket: a ping is answered, a close too, and the rest is nothing to us", () => {
  const spoken = [...clientFrame(0x81, [104, 105]), ...clientFrame(0x89, [7, 8, 9])];
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 9 })), (sizes) => {
    assert.deepEqual(told(spoken, sizes), { answers: [[0x8a, 3, 7, 8, 9]], close: false });
  }));
  assert.deepEqual(told(clientFrame(0x88, [3, 232])), {
    answers: [[0x88, 2, 3, 232]],
    close: true,
  });
});

Deno.test("H42: what a client announces or gathers is bounded", () => {
  const tooBig = { answers: [[0x88, 2, 3, 241]], close: true };
  const wrong = { answers: [[0x88, 2, 3, 234]], close: true };
  const full = Array<number>(MAX_CLIENT_BYTES).fill(0);
  assert.deepEqual(told(clientFrame(0x82, full)), { answers: [], close: false });
  assert.deepEqual(told(clientFrame(0x82, [], MAX_CLIENT_BYTES + 1)), tooBig);
  assert.deepEqual(told([0x82, 0xff, 0, 0, 0, 0, 3, 147, 135, 0]), tooBig);
  const fragment = clientFrame(0x00, Array<number>(100).fill(0));
  const fragments = [...clientFrame(0x02, []), ...Array<number[]>(20).fill(fragment).flat()];
  assert.deepEqual(told(fragments), tooBig);
  const empty = [
    ...clientFrame(0x02, []),
    ...Array<number[]>(1000).fill(clientFrame(0, [])).flat(),
  ];
  assert.deepEqual(told(empty), tooBig);
  assert.deepEqual(told([0x82, 3, 1, 2, 3]), wrong, "not masked");
  assert.deepEqual(told(clientFrame(0xc2, [1])), wrong, "compressed");
  assert.deepEqual(told(clientFrame(0x80, [1])), wrong, "goes on with nothing");
  assert.deepEqual(
    told([...clientFrame(0x02, []), ...clientFrame(0x82, [])]),
    wrong,
    "begins anew",
  );
  assert.deepEqual(told(clientFrame(0x09, [1])), wrong, "a ping in pieces");
  assert.deepEqual(told(clientFrame(0x89, [], 126)), wrong, "a long ping");
  assert.deepEqual(told(clientFrame(0x83, [])), wrong, "an unknown type");
});
