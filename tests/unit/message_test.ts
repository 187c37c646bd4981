/**
 * Control messages, aggregates, and commands as they come in.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeAmf0 } from "../../src/rtmp/amf0.ts";
import { AmfObject } from "../../src/rtmp/amf_value.ts";
import { isTimeCode, parseCommand } from "../../src/rtmp/command.ts";
import { ErrorCode, RtmpError } from "../../src/rtmp/error.ts";
import {
  controlValue,
  type Message,
  parseUserControl,
  peerBandwidthBody,
  splitAggregate,
  u32Body,
  userControlBody,
} from "../../src/rtmp/message.ts";
import { concat, toHex } from "./hex.ts";
import { be } from "./support/naive_chunks.ts";

function message(type: number, payload: Uint8Array, timestamp = 0): Message {
  return { type, timestamp, streamId: 1, payload };
}

function part(type: number, time: number, data: Uint8Array): Uint8Array {
  const stamp = [...be(time % 0x1000000, 3), Math.floor(time / 0x1000000)];
  const head = Uint8Array.from([type, ...be(data.length, 3), ...stamp, 0xde, 0xad, 0]);
  return concat(head, data, Uint8Array.from(be(11 + data.length, 4)));
}

function split(payload: Uint8Array, timestamp: number): string[] {
  const parts: string[] = [];
  splitAggregate(message(22, payload, timestamp), (p) => {
    parts.push(`${p.type}@${p.timestamp}/${p.streamId} ${toHex(p.payload)}`);
  });
  return parts;
}

Deno.test("control bodies", () => {
  assert.equal(toHex(u32Body(0xfffffffe)), "fffffffe");
  assert.equal(toHex(peerBandwidthBody(2_500_000)), "002625a0" + "02");
  assert.equal(toHex(userControlBody(7, 0x80000001)), "000780000001");
});

Deno.test("controlValue: 4 bytes, unsigned; more are ignored, fewer refused (H3)", () => {
  assert.equal(controlValue(message(5, concat("80000001"))), 0x80000001);
  assert.equal(controlValue(message(1, concat("00001000 ff"))), 4096);
  for (const payload of ["", "00", "000000"]) {
    assert.throws(() => controlValue(message(1, concat(payload))), RtmpError);
  }
});

Deno.test("parseUserControl: event and value; the one-byte event 0x1A means nothing (Q51)", () => {
  assert.deepEqual(parseUserControl(concat("0006 01020304")), { event: 6, value: 0x01020304 });
  assert.deepEqual(parseUserControl(concat("0003 00000001 00000bb8")), { event: 3, value: 1 });
  for (const payload of ["001a 00", "", "00", "0006", "0006 010203"]) {
    assert.equal(parseUserControl(concat(payload)), null);
  }
});

Deno.test("aggregate: the first part gets the aggregate's time, the others keep their distance", () => {
  const payload = concat(
    part(9, 1000, concat("1701")),
    part(8, 1010, concat("af01")),
    part(20, 1012, concat("0500")),
    part(18, 1015, concat("0500")),
    part(9, 1040, concat("2701")),
  );
  const parts = ["9@5000/1 1701", "8@5010/1 af01", "18@5015/1 0500", "9@5040/1 2701"];
  assert.deepEqual(split(payload, 5000), parts);
});

Deno.test("aggregate: the timestamp's fourth byte is the high one; times wrap at 31 bits (Q5)", () => {
  const payload = concat(part(9, 0x01fffff0, concat("01")), part(9, 0x02000010, concat("02")));
  assert.deepEqual(split(payload, 7), ["9@7/1 01", "9@39/1 02"]);
  const late = concat(part(9, 0xfffffff0, concat("01")), part(9, 0x10, concat("02")));
  assert.deepEqual(split(late, 0x7ffffff8), ["9@2147483640/1 01", "9@24/1 02"]);
});

Deno.test("aggregate: empty parts are skipped, a missing last back pointer is no harm (H13)", () => {
  const payload = concat(part(8, 0, new Uint8Array(0)), part(9, 5, concat("aa")));
  assert.deepEqual(split(payload, 100), ["9@105/1 aa"]);
  for (const cut of [1, 2, 3, 4]) {
    assert.deepEqual(split(payload.subarray(0, payload.length - cut), 100), ["9@105/1 aa"]);
  }
  assert.deepEqual(split(new Uint8Array(0), 1), []);
});

Deno.test("aggregate: a part longer than the rest, or half a header, is refused (H5)", () => {
  const good = part(9, 5, concat("aabbcc"));
  for (const bytes of [good.subarray(0, 13), good.subarray(0, 10), concat(good, "09")]) {
    assert.throws(() => split(bytes, 0), (error) => {
      return error instanceof RtmpError && error.code === ErrorCode.PACKET_SIZE;
    });
  }
});

Deno.test("property: an aggregate of any bytes raises nothing but RtmpError, parts lie within it", () => {
  // Parts as they should be, and one byte that is not: random bytes alone never are a whole part.
  const parts = fc.array(
    fc.tuple(fc.constantFrom(8, 9, 18, 20), fc.nat(0xffffff), fc.uint8Array({ maxLength: 20 })),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
  const broken = fc.option(fc.tuple(fc.nat(), fc.nat(255)));
  let accepted = 0;
  fc.assert(
    fc.property(parts, broken, fc.nat(0x7fffffff), (parts, broken, timestamp) => {
      const payload = concat(...parts.map(([type, time, data]) => part(type, time, data)));
      if (broken) payload[broken[0] % payload.length] = broken[1];
      try {
        splitAggregate(message(22, payload, timestamp), (p) => {
          assert.ok(p.payload.length > 0 && p.payload.buffer === payload.buffer);
          assert.ok(p.timestamp >= 0 && p.timestamp <= 0x7fffffff);
          accepted++;
        });
      } catch (error) {
        assert.ok(error instanceof RtmpError, String(error));
        assert.ok(broken, "refused as it should be sent");
      }
    }),
  );
  assert.ok(accepted > 0, "some parts were read");
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (payload) => {
    try {
      splitAggregate(message(22, payload, 0), () => {});
    } catch (error) {
      assert.ok(error instanceof RtmpError, String(error));
    }
  }));
});

Deno.test("parseCommand: name, transaction id, arguments", () => {
  const payload = encodeAmf0("publish", 5, null, "s", "live");
  const expected = { name: "publish", transactionId: 5, args: [null, "s", "live"] };
  assert.deepEqual(parseCommand(20, payload), expected);
  assert.deepEqual(parseCommand(20, encodeAmf0("x")), { name: "x", transactionId: 0, args: [] });
});

Deno.test("parseCommand: type 17 with and without its format byte (Q35)", () => {
  const payload = encodeAmf0("createStream", 2, null);
  const expected = { name: "createStream", transactionId: 2, args: [null] };
  assert.deepEqual(parseCommand(17, concat("00", payload)), expected);
  assert.deepEqual(parseCommand(17, payload), expected);
});

Deno.test("parseCommand: AMF3 behind marker 11 (Q35)", () => {
  // avmplus string "s": marker 06, length 1 as u29 (1 << 1 | 1).
  const command = parseCommand(17, concat("00", encodeAmf0("play", 3, null), "11 06 03 73"));
  assert.equal(command?.name, "play");
  assert.deepEqual(command?.args.length, 2);
});

Deno.test("parseCommand: a name that is no text means nothing (Q34, H9)", () => {
  for (const name of [null, undefined, 4, true, new AmfObject([["connect", 1]]), ""]) {
    assert.equal(parseCommand(20, encodeAmf0(name, 1, null)), null);
  }
  assert.equal(parseCommand(20, new Uint8Array(0)), null);
});

Deno.test("parseCommand: a transaction id that is no finite number is 0 (H9)", () => {
  for (const id of [null, "1", NaN, Infinity, undefined]) {
    assert.equal(parseCommand(20, encodeAmf0("x", id, null))?.transactionId, 0);
  }
});

Deno.test("ffmpeg's time code: 4 bytes that begin with 00 (Q49)", () => {
  assert.equal(isTimeCode(concat("00000001")), true);
  assert.equal(parseCommand(20, concat("00123456")), null);
  for (const bytes of ["01000000", "000000", "0000000000"]) {
    assert.equal(isTimeCode(concat(bytes)), false);
  }
});

Deno.test("property: a command of any bytes raises nothing but RtmpError (H7)", () => {
  fc.assert(
    fc.property(fc.constantFrom(17, 20), fc.uint8Array({ maxLength: 200 }), (type, payload) => {
      try {
        parseCommand(type, payload);
      } catch (error) {
        assert.ok(error instanceof RtmpError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});
