/**
 * The two tables that say what is in a transport stream: PAT and PMT (ISO/IEC 13818-1 §2.4.4), each in
 * one packet.
 * @module
 */

import { HEADER_BYTES, PACKET_BYTES, writePacketHeader } from "./packet.ts";

/** Packet ids. SRS has the same, so that what was set up for it needs no change. */
export const Pid = { PAT: 0, PMT: 0x1001, VIDEO: 0x100, AUDIO: 0x101 } as const;

/** What a track's packets hold (table 2-34; MP3 and AAC as SRS names them). */
export const StreamType = { MP3: 0x03, AAC: 0x0f, H264: 0x1b, HEVC: 0x24 } as const;

/** The tracks of a stream by their type; 0: there is no such track. */
export interface Tracks {
  readonly video: number;
  readonly audio: number;
}

const PAT_TABLE = 0;
const PMT_TABLE = 2;
const TRANSPORT_STREAM = 1;
const PROGRAM = 1;
const CRC_BYTES = 4;
const VERSION_MASK = 0x1f;

/** Bytes of both tables. */
export const TABLES_BYTES = 2 * PACKET_BYTES;

/** The packet with the PAT; its continuity counter is to be set. */
export function patPacket(): Uint8Array {
  return tablePacket(Pid.PAT, PAT_TABLE, TRANSPORT_STREAM, 0, [
    ...u16(PROGRAM),
    ...u16(0xe000 | Pid.PMT),
  ]);
}

/** The packet with the PMT. `version`: another one after every change, of which 5 bits are told. */
export function pmtPacket({ video, audio }: Tracks, version: number): Uint8Array {
  const track = (type: number, pid: number) =>
    type === 0 ? [] : [type, ...u16(0xe000 | pid), ...u16(0xf000)];
  return tablePacket(Pid.PMT, PMT_TABLE, PROGRAM, version, [
    ...u16(0xe000 | (video === 0 ? Pid.AUDIO : Pid.VIDEO)),
    ...u16(0xf000),
    ...track(video, Pid.VIDEO),
    ...track(audio, Pid.AUDIO),
  ]);
}

function tablePacket(
  pid: number,
  table: number,
  id: number,
  version: number,
  rest: readonly number[],
): Uint8Array {
  // What the length counts: from the id to the checksum.
  const length = 5 + rest.length + CRC_BYTES;
  const section = [
    table,
    ...u16(0xb000 | length),
    ...u16(id),
    0xc1 | (version & VERSION_MASK) << 1,
    0,
    0,
    ...rest,
  ];
  const packet = new Uint8Array(PACKET_BYTES).fill(0xff);
  writePacketHeader(packet, 0, pid, true, false, 0);
  // The section begins at once.
  packet[HEADER_BYTES] = 0;
  packet.set(section, HEADER_BYTES + 1);
  const crc = crc32(Uint8Array.from(section));
  packet.set([...u16(crc >>> 16), ...u16(crc & 0xffff)], HEADER_BYTES + 1 + section.length);
  return packet;
}

function u16(value: number): [number, number] {
  return [value >> 8, value & 0xff];
}

const POLYNOMIAL = 0x04c11db7;

/** CRC-32 as MPEG has it (annex A): the highest bit first, nothing inverted. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let i = 0; i < 8; i++) crc = crc << 1 ^ (crc < 0 ? POLYNOMIAL : 0);
  }
  return crc >>> 0;
}
