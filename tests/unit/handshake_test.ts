/**
 * The server's half of the handshake against an independent client.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { RtmpError } from "../../src/rtmp/error.ts";
import { ServerHandshake } from "../../src/rtmp/handshake.ts";
import { concat } from "./hex.ts";
import { makeC1, verifyAnswer } from "./support/digest_client.ts";

const NOW = 0x01020304;
const C2 = new Uint8Array(1536).fill(0x77);

/** A C1 without a digest, with some time field. */
const PLAIN_C1 = concat("0a0b0c0d 00000000", new Uint8Array(1528).fill(0xa5));

const filler = fc.uint8Array({ minLength: 1536, maxLength: 1536 });
const schemas = fc.constantFrom<(0 | 1)[]>(0, 1);

/** Feeds everything at once and expects an answer and the end of the handshake. */
function shake(bytes: Uint8Array): { handshake: ServerHandshake; answer: Uint8Array } {
  const handshake = new ServerHandshake();
  assert.equal(handshake.push(bytes, NOW), bytes.length);
  assert.ok(handshake.done);
  return { handshake, answer: handshake.answer ?? assert.fail("no answer") };
}

function refusal(bytes: Uint8Array): string {
  const handshake = new ServerHandshake();
  try {
    handshake.push(bytes, NOW);
  } catch (error) {
    assert.ok(error instanceof RtmpError);
    assert.equal(error.code, 2000);
    assert.equal(handshake.answer, null, "nothing may be sent");
    return error.message;
  }
  return assert.fail("not refused");
}

Deno.test("simple: S0 is 3, S1 has our time and C1's, S2 is C1 (Q54)", () => {
  const { handshake, answer } = shake(concat("03", PLAIN_C1, C2));
  assert.equal(handshake.kind, "simple");
  assert.equal(answer.length, 3073);
  assert.deepEqual(answer.subarray(0, 9), concat("03 01020304 0a0b0c0d"));
  assert.deepEqual(answer.subarray(1537), PLAIN_C1);
});

Deno.test("simple: two connections get different S1", () => {
  const random = () => shake(concat("03", PLAIN_C1, C2)).answer.slice(9, 1537);
  assert.notDeepEqual(random(), random());
});

Deno.test("the answer is due after C1 and the end after 1536 bytes of anything (Q54)", () => {
  const handshake = new ServerHandshake();
  handshake.push(concat("03", PLAIN_C1.subarray(0, 1535)), NOW);
  const answered = () => handshake.answer?.length ?? 0;
  assert.equal(answered(), 0);
  handshake.push(PLAIN_C1.subarray(1535), NOW);
  assert.equal(answered(), 3073);
  handshake.push(C2.subarray(0, 1535), NOW);
  assert.equal(handshake.done, false);
  handshake.push(C2.subarray(1535), NOW);
  assert.equal(handshake.done, true);
});

Deno.test("bytes behind C2 in the same piece are left alone (Q54)", () => {
  const handshake = new ServerHandshake();
  const all = concat("03", PLAIN_C1, C2, "'connect");
  assert.equal(handshake.push(all, NOW), 3073);
  assert.equal(handshake.push(concat("'more"), NOW), 0);
});

Deno.test("property: digests of both schemas, found and answered in the client's (Q55)", () => {
  fc.assert(
    fc.property(filler, schemas, (bytes, schema) => {
      const { c1, digest } = makeC1(bytes, schema);
      const { handshake, answer } = shake(concat("03", c1, C2));
      assert.equal(handshake.kind, "complex");
      assert.deepEqual(answer.subarray(1, 9), concat("01020304 01000504"));
      verifyAnswer(answer, digest, schema);
    }),
    { numRuns: 100 },
  );
});

Deno.test("digests at both ends of their range (Q55)", () => {
  for (const schema of [0, 1] as const) {
    const block = schema === 0 ? 772 : 8;
    for (const offsets of ["00000000", "ffdbfefe", "ffffffff", "d8ff0100", "d9ff0000"]) {
      const bytes = new Uint8Array(1536).fill(0x33);
      bytes.set(concat(offsets), block);
      const { c1, digest } = makeC1(bytes, schema);
      verifyAnswer(shake(concat("03", c1, C2)).answer, digest, schema);
    }
  }
});

Deno.test("a wrong digest makes a simple handshake, whatever the version bytes say (Q55)", () => {
  fc.assert(
    fc.property(filler, schemas, fc.nat(1535), (bytes, schema, at) => {
      const { c1 } = makeC1(bytes, schema);
      c1[at] ^= 0x40;
      const { handshake, answer } = shake(concat("03", c1, C2));
      assert.equal(handshake.kind, "simple");
      assert.deepEqual(answer.subarray(1537), c1);
    }),
    { numRuns: 50 },
  );
});

Deno.test("C0 = 6 without a digest is refused, and nothing is sent", () => {
  assert.match(refusal(concat("06", PLAIN_C1)), /version 6 .*plain RTMP/);
  for (const version of [0, 2, 4, 8, 9, 0x60, 0xff]) {
    refusal(concat(Uint8Array.of(version), PLAIN_C1));
  }
});

Deno.test("with a valid digest the version does not matter", () => {
  const { c1, digest } = makeC1(new Uint8Array(1536).fill(9), 1);
  verifyAnswer(shake(concat("06", c1, C2)).answer, digest, 1);
});

Deno.test("an HTTP request or TLS is refused at its first byte, with the cure (Q57)", () => {
  assert.match(refusal(concat("'GET / HTTP/1.1\r\n")), /HTTP.*rtmp:\/\//);
  for (const method of ["P", "H", "O", "D"]) assert.match(refusal(concat(`'${method}`)), /HTTP/);
  assert.match(refusal(concat("16 03 01")), /TLS.*rtmp:\/\//);
});

Deno.test("proxy header: the address before C0", () => {
  const cases: [string, string | null][] = [
    ["f3 0000", null],
    ["f3 0003 c00002", null],
    ["f3 0004 c0000209", "192.0.2.9"],
    ["f3 0006 c0000209 1f90", "192.0.2.9"],
    ["f3 0400 cb007105" + "00".repeat(1020), "203.0.113.5"],
  ];
  for (const [header, address] of cases) {
    const { handshake, answer } = shake(concat(header, "03", PLAIN_C1, C2));
    assert.equal(handshake.proxiedAddress, address);
    assert.deepEqual(answer.subarray(1537), PLAIN_C1);
  }
  assert.match(refusal(concat("f3 0401")), /1025 bytes is too long/);
});

Deno.test("property: how the input is cut does not matter", () => {
  const { c1 } = makeC1(new Uint8Array(1536).fill(0x21), 0);
  const proxies = fc.constantFrom("", "f30000", "f30004c0000209", "f3ffff");
  const packets = fc.oneof(filler, fc.constant(c1), fc.constant(PLAIN_C1));
  const input = fc.tuple(proxies, fc.constantFrom("03", "06", "47", "f3"), packets);
  const cuts = fc.array(fc.nat(3200), { maxLength: 12 });

  const run = (bytes: Uint8Array, ends: number[]) => {
    const handshake = new ServerHandshake();
    let used = 0;
    let from = 0;
    let end = "more";
    try {
      for (const to of [...ends, bytes.length]) {
        used += handshake.push(bytes.subarray(from, to), NOW);
        from = to;
      }
      if (handshake.done) end = "done";
    } catch (error) {
      assert.ok(error instanceof RtmpError, String(error));
      end = error.message;
    }
    const { kind, proxiedAddress, answer } = handshake;
    // After a refusal nobody asks how much was used.
    return { kind, proxiedAddress, answer: answer !== null, end, used: end === "done" ? used : -1 };
  };
  fc.assert(
    fc.property(input, cuts, ([proxy, version, packet], at) => {
      const bytes = concat(proxy, version, packet, C2, "'rest");
      const ends = at.filter((n) => n <= bytes.length).sort((a, b) => a - b);
      const whole = run(bytes, []);
      assert.deepEqual(run(bytes, ends), whole);
      assert.deepEqual(run(bytes, Array.from(bytes, (_, i) => i)), whole);
    }),
    { numRuns: 60 },
  );
});

Deno.test("property: random bytes raise nothing but RtmpError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
      try {
        const used = new ServerHandshake().push(bytes, NOW);
        assert.ok(used <= bytes.length);
      } catch (error) {
        assert.ok(error instanceof RtmpError, String(error));
      }
    }),
    { numRuns: 200 },
  );
});
