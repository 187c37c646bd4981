/**
 * Packets of MPEG-TS: 188 bytes each, and the packets of one PES (ISO/IEC 13818-1 §2.4.3).
 *
 *     0x47 | error, start, priority (1 each) pid (13) | scrambling (2) adaptation (1) payload (1) counter (4)
 *     [adaptation field: length, flags, PCR, stuffing]
 *     payload
 * @module
 */

/** Bytes of a packet, and of its header. */
export const PACKET_BYTES = 188;
export const HEADER_BYTES = 4;
const PAYLOAD_BYTES = PACKET_BYTES - HEADER_BYTES;

const SYNC = 0x47;
const COUNTER_MASK = 0x0f;

/** Adaptation field with a PCR: length, flags, PCR. */
const PCR_FIELD_BYTES = 8;
const RANDOM_ACCESS = 0x40;
const HAS_PCR = 0x10;

/** PES header: start code, stream id, length, flags, the length of what follows; then PTS and DTS. */
const PES_BYTES = 9;
const TIME_BYTES = 5;
const HAS_PTS = 0x80;
const HAS_DTS = 0x40;
/** Bytes of a PES after its length field that the field can tell; 0 says "until the next one begins". */
const MAX_PES_LENGTH = 0xffff;
const LENGTH_AT = 6;

/** 2 ^ 30: clocks have 33 bits, more than the operators on bits take. */
const HIGH_BITS = 2 ** 30;

/** Writes a packet's header. `counter`: its lowest 4 bits. */
export function writePacketHeader(
  target: Uint8Array,
  at: number,
  pid: number,
  starts: boolean,
  adapts: boolean,
  counter: number,
): void {
  target[at] = SYNC;
  target[at + 1] = (starts ? 0x40 : 0) | pid >> 8;
  target[at + 2] = pid & 0xff;
  target[at + 3] = (adapts ? 0x30 : 0x10) | counter & COUNTER_MASK;
}

/** One PES. Clocks are in 1/90000 s, 33 bits. */
export interface PesHeader {
  readonly pid: number;
  readonly streamId: number;
  readonly pts: number;
  readonly dts: number;
  /** The programme's clock is told. */
  readonly hasPcr: boolean;
  /** Decoding can start here. */
  readonly isKey: boolean;
  /** The continuity counter of its first packet. */
  readonly counter: number;
}

/** Packets that a PES with `length` bytes of payload takes. */
export function packetsOf(length: number, hasDts: boolean, hasPcr: boolean): number {
  const bytes = PES_BYTES + TIME_BYTES * (hasDts ? 2 : 1) + length;
  const room = PAYLOAD_BYTES - (hasPcr ? PCR_FIELD_BYTES : 0);
  return 1 + Math.ceil(Math.max(0, bytes - room) / PAYLOAD_BYTES);
}

/** Writes the packets of one PES: `begin`, then all of the payload with `put`. */
export class PesWriter {
  /** After all of the payload: one past the last packet. */
  at = 0;
  #target: Uint8Array = new Uint8Array(0);
  #pid = 0;
  #counter = 0;
  /** Bytes of the PES that are still to come, and of the packet that is being written. */
  #left = 0;
  #room = 0;
  readonly #head = new Uint8Array(PES_BYTES + 2 * TIME_BYTES);

  /** Begins a PES at `at` in `target`, whose payload will have `length` bytes. */
  begin(target: Uint8Array, at: number, header: PesHeader, length: number): void {
    const { streamId, pts, dts } = header;
    const times = pts === dts ? TIME_BYTES : 2 * TIME_BYTES;
    const head = this.#head;
    const size = PES_BYTES + times + length - LENGTH_AT;
    head.set([0, 0, 1, streamId]);
    head[4] = size > MAX_PES_LENGTH ? 0 : size >> 8;
    head[5] = size > MAX_PES_LENGTH ? 0 : size & 0xff;
    head[6] = 0x80;
    head[7] = HAS_PTS | (pts === dts ? 0 : HAS_DTS);
    head[8] = times;
    writeTime(head, PES_BYTES, pts === dts ? 2 : 3, pts);
    if (pts !== dts) writeTime(head, PES_BYTES + TIME_BYTES, 1, dts);
    this.#target = target;
    this.at = at;
    this.#pid = header.pid;
    this.#counter = header.counter;
    this.#left = PES_BYTES + times + length;
    this.#open(true, header.hasPcr ? dts : -1, header.isKey);
    this.put(head, 0, PES_BYTES + times);
  }

  /** Puts the bytes of `from` between `start` and `end`. */
  put(from: Uint8Array, start = 0, end = from.length): void {
    const target = this.#target;
    while (start < end) {
      if (this.#room === 0) this.#open(false, -1, false);
      const stop = Math.min(end, start + this.#room);
      const count = stop - start;
      // A call costs more than some bytes.
      if (count < 16) { for (; start < stop; start++) target[this.at++] = from[start]; }
      else {
        target.set(from.subarray(start, stop), this.at);
        this.at += count;
        start = stop;
      }
      this.#room -= count;
      this.#left -= count;
    }
  }

  /** Begins a packet; `pcr` below 0: it has none. What the payload does not fill is stuffed. */
  #open(starts: boolean, pcr: number, isKey: boolean): void {
    const target = this.#target;
    const wanted = pcr >= 0 ? PCR_FIELD_BYTES : 0;
    const field = Math.max(wanted, PAYLOAD_BYTES - this.#left);
    writePacketHeader(target, this.at, this.#pid, starts, field > 0, this.#counter++);
    let at = this.at + HEADER_BYTES;
    const end = at + field;
    if (field > 0) target[at++] = field - 1;
    if (field > 1) target[at++] = (isKey ? RANDOM_ACCESS : 0) | (pcr >= 0 ? HAS_PCR : 0);
    if (pcr >= 0) at = writePcr(target, at, pcr);
    target.fill(0xff, at, end);
    this.at = end;
    this.#room = PAYLOAD_BYTES - field;
  }
}

/** Marker bits stand between the 3, 15 and 15 bits of a time. */
function writeTime(target: Uint8Array, at: number, mark: number, time: number): void {
  const high = Math.floor(time / HIGH_BITS);
  target[at] = mark << 4 | (high & 7) << 1 | 1;
  target[at + 1] = time >>> 22 & 0xff;
  target[at + 2] = (time >>> 15 & 0x7f) << 1 | 1;
  target[at + 3] = time >>> 7 & 0xff;
  target[at + 4] = (time & 0x7f) << 1 | 1;
}

/** 33 bits, 6 bits that are 1, and 9 bits of a finer clock that are 0. */
function writePcr(target: Uint8Array, at: number, time: number): number {
  target[at] = Math.floor(time / 2 ** 25) & 0xff;
  target[at + 1] = time >>> 17 & 0xff;
  target[at + 2] = time >>> 9 & 0xff;
  target[at + 3] = time >>> 1 & 0xff;
  target[at + 4] = (time & 1) << 7 | 0x7e;
  target[at + 5] = 0;
  return at + 6;
}
