/**
 * Reads MPEG-TS as strictly as the standard is: for tests.
 * @module
 */

import assert from "node:assert/strict";
import { crc32 } from "../../../src/ts/tables.ts";

/** One PES. */
export interface Pes {
  readonly pid: number;
  readonly streamId: number;
  readonly pts: number;
  readonly dts: number;
  readonly payload: Uint8Array;
  /** Its first packet says that decoding can start there; the clock in it. */
  readonly isKey: boolean;
  readonly pcr: number | null;
}

/** What a transport stream is made of. */
export interface Programme {
  readonly pes: readonly Pes[];
  /** How often the tables were said, and what the last PMT says: type by pid. */
  readonly tables: number;
  readonly tracks: ReadonlyMap<number, number>;
  readonly pcrPid: number;
  readonly version: number;
}

interface Open {
  pid: number;
  bytes: number[];
  isKey: boolean;
  pcr: number | null;
}

/** Reads all of it. @throws AssertionError where it breaks a rule. */
export function readTs(bytes: Uint8Array): Programme {
  assert.equal(bytes.length % 188, 0, "whole packets");
  const counters = new Map<number, number>();
  const open = new Map<number, Open>();
  const pes: Pes[] = [];
  const tracks = new Map<number, number>();
  let [tables, pcrPid, pmtPid, version] = [0, -1, -1, -1];
  for (let at = 0; at < bytes.length; at += 188) {
    const packet = bytes.subarray(at, at + 188);
    assert.equal(packet[0], 0x47, "sync");
    const starts = (packet[1] & 0x40) !== 0;
    assert.equal(packet[1] & 0xa0, 0, "no error, no priority");
    const pid = (packet[1] & 0x1f) << 8 | packet[2];
    const control = packet[3] >> 4;
    assert.ok(control === 1 || control === 3, "there is a payload");
    const counter = packet[3] & 15;
    const before = counters.get(pid);
    if (before !== undefined) assert.equal(counter, (before + 1) & 15, `counter of ${pid}`);
    counters.set(pid, counter);
    let body = 4;
    let [isKey, pcr]: [boolean, number | null] = [false, null];
    if (control === 3) {
      const length = packet[4];
      assert.ok(length <= 182, "something is left for the payload");
      body += 1 + length;
      if (length > 0) {
        isKey = (packet[5] & 0x40) !== 0;
        const used = (packet[5] & 0x10) !== 0 ? 6 : 0;
        if (used > 0) {
          pcr = packet[6] * 2 ** 25 + (packet[7] << 17 | packet[8] << 9 | packet[9] << 1) +
            (packet[10] >> 7);
          assert.equal(packet[10] & 0x7e, 0x7e);
        }
        assert.ok(packet.subarray(6 + used, body).every((byte) => byte === 0xff), "stuffing");
      }
    }
    const payload = packet.subarray(body);
    if (pid === 0 || pid === pmtPid) {
      assert.ok(starts && payload[0] === 0);
      const length = (payload[2] & 15) << 8 | payload[3];
      const section = payload.subarray(1, 4 + length);
      assert.equal(crc32(section), 0, "checksum");
      assert.ok(payload.subarray(4 + length).every((byte) => byte === 0xff));
      if (pid === 0) pmtPid = (section[10] & 0x1f) << 8 | section[11];
      else {
        tables++;
        version = section[5] >> 1 & 0x1f;
        pcrPid = (section[8] & 0x1f) << 8 | section[9];
        tracks.clear();
        for (let i = 12; i < section.length - 4; i += 5) {
          tracks.set((section[i + 1] & 0x1f) << 8 | section[i + 2], section[i]);
        }
      }
      continue;
    }
    assert.ok(tracks.has(pid), `pid ${pid} is in the tables`);
    if (starts) {
      const last = open.get(pid);
      if (last) pes.push(readPes(last));
      open.set(pid, { pid, bytes: [...payload], isKey, pcr });
    } else {
      const going = open.get(pid);
      assert.ok(going, "a PES begins at its beginning");
      going.bytes.push(...payload);
    }
  }
  for (const last of open.values()) pes.push(readPes(last));
  return { pes, tables, tracks, pcrPid, version };
}

function readPes({ pid, bytes, isKey, pcr }: Open): Pes {
  assert.deepEqual(bytes.slice(0, 3), [0, 0, 1]);
  const length = bytes[4] << 8 | bytes[5];
  if (length !== 0) assert.equal(length, bytes.length - 6, "the length of the PES");
  else assert.ok(bytes.length - 6 > 0xffff, "a length is only left out when it does not fit");
  const time = (at: number, mark: number) => {
    assert.equal(bytes[at] >> 4, mark);
    for (const marker of [0, 2, 4]) assert.equal(bytes[at + marker] & 1, 1);
    return (bytes[at] >> 1 & 7) * 2 ** 30 + (bytes[at + 1] << 22) + (bytes[at + 2] >> 1 << 15) +
      (bytes[at + 3] << 7) + (bytes[at + 4] >> 1);
  };
  const both = bytes[7] === 0xc0;
  assert.equal(bytes[8], both ? 10 : 5);
  const pts = time(9, both ? 3 : 2);
  const dts = both ? time(14, 1) : pts;
  const payload = Uint8Array.from(bytes.slice(9 + bytes[8]));
  return { pid, streamId: bytes[3], pts, dts, payload, isKey, pcr };
}
