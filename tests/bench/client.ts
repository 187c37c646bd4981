/**
 * The load client: a process of its own that plays or publishes, many times over, on one thread.
 *
 *     deno run --allow-all client.ts '{"action":"play","port":1935,"count":1000,...}'
 *
 * It says on standard output when it is ready, and takes `begin` and `end` on standard input: between
 * the two it counts, and at `end` it says what. One line of JSON each. It ends with its input.
 * @module
 */
import { MAX_HEADER_BYTES } from "./chunk_parser.ts";
import type { Connection, ConnectionOwner, Media } from "./connection.ts";
import { FlvConnection } from "./flv_connection.ts";
import { Histogram, type HistogramData } from "./histogram.ts";
import { closeFile, connectTo, newPoller, nowUs, readFile, receive } from "./libc.ts";
import { Epoll } from "../../src/runtime/epoll.ts";
import { RtmpConnection } from "./rtmp_connection.ts";
import {
  MESSAGES_PER_SECOND,
  numberOf,
  sentUs,
  StreamShape,
  StreamSource,
  VIDEO,
} from "./stream.ts";

/** What a client is to do. */
export interface ClientSpec {
  /** `join`: one player after the other, each until its first media. */
  readonly action: "play" | "publish" | "join";
  readonly port: number;
  /** Connections, or joins. */
  readonly count: number;
  /** Of a published stream. */
  readonly kbps: number;
  /** Media alone, no RTMP around it. */
  readonly raw: boolean;
  /** Play by HTTP-FLV instead of RTMP. */
  readonly http: boolean;
  /** ... by a WebSocket. */
  readonly ws: boolean;
  /** Further players that read a tenth of the stream, and are not counted. */
  readonly slow: number;
}

/** All connections are there, or have failed. */
export interface Ready {
  readonly event: "ready";
  readonly connected: number;
  readonly failed: number;
  /** Why the first one failed. */
  readonly reason: string;
}

/** What was counted from `begin` to `end`, or over all joins. */
export interface Result {
  readonly event: "result";
  /** Delays in µs: of all messages, of video, and from the connect to the first media. */
  readonly delay: HistogramData;
  readonly videoDelay: HistogramData;
  readonly join: HistogramData;
  /** Messages received, or sent. */
  readonly messages: number;
  /** Messages that never came although a later one did. */
  readonly lost: number;
  /** Connections that the server has ended. */
  readonly disconnects: number;
  /** Players that got less than half of the messages of the time. */
  readonly starved: number;
  /** The longest that a message was sent after it was due, ms. */
  readonly lateMs: number;
}

/** Connections that may be on their way at a time: a ramp, not an attack. */
const RAMP = 64;
/** Until everybody must be there: a start, and time for each, ms. */
const RAMP_LIMIT_MS = 15_000;
const RAMP_LIMIT_EACH_MS = 8;
/** ms until a join has failed. */
const JOIN_LIMIT_MS = 10_000;
/** ms between joins, to which up to as much again is added so that they fall anywhere in a GOP. */
const JOIN_PAUSE_MS = 20;
/** The longest that the loop sleeps, ms. */
const SLEEP_MS = 20;
/** Bytes per read: more than any of the servers writes at a time at 600 kbps. */
const READ_BYTES = 256 * 1024;
const READ_LIMIT = BigInt(READ_BYTES);
/** Kernel receive buffer of a slow player, and the part of the stream that it reads, every so often. */
const SLOW_BUFFER_BYTES = 4096;
const SLOW_SHARE = 0.1;
const SLOW_EVERY_MS = 100;
/** Publishers start so far apart, µs, that they do not all send at once. */
const STAGGER_US = 7_919;
const STAGGER_OVER_US = 40_000;

const STDIN = 0;

class LoadClient implements ConnectionOwner {
  readonly #spec: ClientSpec;
  readonly #poller = newPoller();
  readonly #connections: (Connection | undefined)[] = [];
  readonly #buffer = new Uint8Array(MAX_HEADER_BYTES + READ_BYTES);
  readonly #area = this.#buffer.subarray(MAX_HEADER_BYTES);
  readonly #shape: StreamShape;
  readonly #sources: { connection: Connection; source: StreamSource }[] = [];
  readonly #slow: Connection[] = [];
  readonly #startedUs = nowUs();

  #now = nowUs();
  #nextDueUs = Infinity;
  #nextSlowUs = 0;
  #opened = 0;
  #accepted = 0;
  #withVideo = 0;
  #failed = 0;
  #reason = "";
  #isReady = false;
  #isDone = false;

  #joining: Connection | null = null;
  #nextJoinUs = 0;

  #isCounting = false;
  #beganUs = 0;
  readonly #delay = new Histogram();
  readonly #videoDelay = new Histogram();
  readonly #join = new Histogram();
  #messages = 0;
  #lost = 0;
  #disconnects = 0;
  #lateUs = 0;

  constructor(spec: ClientSpec) {
    this.#spec = spec;
    this.#shape = new StreamShape(spec.kbps);
    this.#poller.add(STDIN, Epoll.IN);
  }

  run(): void {
    const isJoin = this.#spec.action === "join";
    while (!this.#isDone) {
      const count = this.#poller.take(this.#sleepMs());
      this.#now = nowUs();
      for (let i = 0; i < count; i++) this.#event(this.#poller.fdAt(i), this.#poller.eventsAt(i));
      this.#publish();
      this.#readSlowly();
      if (isJoin) this.#joinOneByOne();
      else this.#ramp();
    }
  }

  // ---- the owner of connections

  onAccepted(connection: Connection): void {
    this.#accepted++;
    if (this.#spec.action === "publish") {
      const index = this.#sources.length;
      const start = nowUs() + index * STAGGER_US % STAGGER_OVER_US;
      for (const message of this.#shape.opening) connection.send(message);
      this.#sources.push({ connection, source: new StreamSource(this.#shape, start) });
      this.#nextDueUs = Math.min(this.#nextDueUs, start);
    } else if (connection.goal.isSlow) {
      this.#slow.push(connection);
      this.#poller.remove(connection.fd);
    }
  }

  onRefused(connection: Connection, reason: string): void {
    this.#ended(connection, reason);
  }

  onMediaHead(connection: Connection, media: Media): void {
    // The second byte tells a sequence header (0) from media.
    if (media.head[1] === 0) return;
    if (connection.firstMediaUs === 0) connection.firstMediaUs = nowUs();
    if (connection.hasVideo || media.type !== VIDEO || connection.goal.isSlow) return;
    connection.hasVideo = true;
    this.#withVideo++;
  }

  onMedia(connection: Connection, media: Media): void {
    const { type, head } = media;
    if (head[1] === 0) return;
    const number = numberOf(type, head);
    const missing = connection.lastNumber < 0 ? 0 : number - connection.lastNumber - 1;
    connection.lastNumber = number;
    if (!this.#isCounting) return;
    if (missing > 0) this.#lost += missing;
    connection.messages++;
    this.#messages++;
    const delay = this.#now - sentUs(type, head);
    this.#delay.add(delay);
    if (type === VIDEO) this.#videoDelay.add(delay);
  }

  // ---- inside

  #sleepMs(): number {
    const ms = Math.ceil((this.#nextDueUs - nowUs()) / 1000);
    return Math.max(0, Math.min(SLEEP_MS, ms));
  }

  #event(fd: number, events: number): void {
    if (fd === STDIN) return this.#command();
    const connection = this.#connections[fd];
    if (!connection) return;
    if (events & (Epoll.IN | Epoll.HUP | Epoll.ERR)) {
      const count = receive(fd, this.#area, READ_LIMIT);
      if (count > 0) {
        this.#now = nowUs();
        connection.onBytes(this.#buffer, MAX_HEADER_BYTES, MAX_HEADER_BYTES + count);
      } else if (count === 0 || events & (Epoll.HUP | Epoll.ERR)) {
        return this.#ended(connection, "the server has closed the connection before it agreed");
      }
    }
    if (events & Epoll.OUT) connection.onWritable();
  }

  #open(stream: string, isSlow = false): Connection {
    const { port, raw, ws } = this.#spec;
    const action = this.#spec.action === "publish" ? "publish" : "play";
    const startedUs = nowUs();
    const fd = connectTo(port, isSlow ? SLOW_BUFFER_BYTES : 0);
    this.#opened++;
    const goal = { action, port, stream, raw, ws, isSlow } as const;
    const Kind = this.#spec.http ? FlvConnection : RtmpConnection;
    return this.#connections[fd] = new Kind(fd, goal, startedUs, this, this.#poller);
  }

  #close(connection: Connection): void {
    this.#connections[connection.fd] = undefined;
    closeFile(connection.fd);
  }

  #ended(connection: Connection, reason: string): void {
    this.#close(connection);
    if (connection.accepted) this.#disconnects++;
    else this.#fail(reason);
    const at = this.#sources.findIndex((entry) => entry.connection === connection);
    if (at >= 0) this.#sources.splice(at, 1);
  }

  #fail(reason: string): void {
    this.#failed++;
    this.#reason ||= reason;
  }

  #ramp(): void {
    if (this.#isReady) return;
    const { action, count, slow, raw } = this.#spec;
    while (this.#opened < count + slow && this.#opened - this.#accepted - this.#failed < RAMP) {
      const stream = `bench${action === "publish" ? this.#opened : 0}`;
      // The slow ones are the last.
      this.#open(stream, this.#opened >= count);
    }
    const wanted = count + slow - this.#failed - this.#disconnects;
    const isServed = raw || action === "publish" ||
      this.#withVideo >= wanted - slow;
    const limitUs = (RAMP_LIMIT_MS + RAMP_LIMIT_EACH_MS * count) * 1000;
    const isLate = this.#now - this.#startedUs > limitUs;
    if (!isLate && !(this.#opened === count + slow && this.#accepted >= wanted && isServed)) return;
    this.#isReady = true;
    if (isLate) this.#reason ||= `not all were there after ${limitUs / 1e6} s`;
    const ready: Ready = {
      event: "ready",
      connected: raw || action === "publish" ? this.#accepted : this.#withVideo,
      failed: this.#failed,
      reason: this.#reason,
    };
    console.log(JSON.stringify(ready));
  }

  #publish(): void {
    if (this.#nextDueUs > this.#now) return;
    let next = Infinity;
    for (const { connection, source } of this.#sources) {
      while (source.dueUs <= this.#now) {
        const sentUs = nowUs();
        if (this.#isCounting) {
          this.#lateUs = Math.max(this.#lateUs, sentUs - source.dueUs);
          this.#messages++;
        }
        connection.send(source.take(sentUs));
      }
      next = Math.min(next, source.dueUs);
    }
    this.#nextDueUs = next;
  }

  #readSlowly(): void {
    if (this.#slow.length === 0 || this.#now < this.#nextSlowUs) return;
    this.#nextSlowUs = this.#now + SLOW_EVERY_MS * 1000;
    const bytes = Math.round(this.#spec.kbps / 8 * SLOW_EVERY_MS * SLOW_SHARE);
    for (const { fd } of this.#slow) receive(fd, this.#area, BigInt(bytes));
  }

  #joinOneByOne(): void {
    const joining = this.#joining;
    if (joining) {
      const isLate = this.#now - joining.startedUs > JOIN_LIMIT_MS * 1000;
      if (joining.firstMediaUs === 0 && !isLate && this.#connections[joining.fd]) return;
      if (joining.firstMediaUs > 0) this.#join.add(joining.firstMediaUs - joining.startedUs);
      else this.#fail("no media");
      if (this.#connections[joining.fd]) this.#close(joining);
      this.#joining = null;
      // A fixed sequence, but one without a period that fits the stream's.
      this.#nextJoinUs = this.#now + JOIN_PAUSE_MS * 1000 * (1 + this.#opened * 0.618 % 1);
      if (this.#join.total + this.#failed >= this.#spec.count) {
        this.#report();
        this.#nextJoinUs = Infinity;
      }
    } else if (this.#now >= this.#nextJoinUs) {
      this.#joining = this.#open("bench0");
    }
  }

  #command(): void {
    const bytes = new Uint8Array(64);
    const count = readFile(STDIN, bytes);
    if (count <= 0) {
      this.#isDone = true;
      return;
    }
    const command = new TextDecoder().decode(bytes.subarray(0, count)).trim();
    if (command === "begin") this.#begin();
    else this.#report();
  }

  #begin(): void {
    this.#delay.clear();
    this.#videoDelay.clear();
    this.#messages =
      this.#lost =
      this.#disconnects =
      this.#lateUs =
        0;
    for (const connection of this.#connections) if (connection) connection.messages = 0;
    this.#beganUs = nowUs();
    this.#isCounting = true;
  }

  #report(): void {
    this.#isCounting = false;
    const half = (nowUs() - this.#beganUs) / 1e6 * MESSAGES_PER_SECOND / 2;
    let starved = 0;
    for (const connection of this.#connections) {
      if (connection && connection.messages < half && !connection.goal.isSlow) starved++;
    }
    const result: Result = {
      event: "result",
      delay: this.#delay.toData(),
      videoDelay: this.#videoDelay.toData(),
      join: this.#join.toData(),
      messages: this.#messages,
      lost: this.#lost,
      disconnects: this.#disconnects,
      starved: this.#spec.action === "play" ? starved : 0,
      lateMs: this.#lateUs / 1000,
    };
    console.log(JSON.stringify(result));
  }
}

if (import.meta.main) {
  const spec: ClientSpec = JSON.parse(Deno.args[0]);
  new LoadClient(spec).run();
}
