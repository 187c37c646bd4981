/**
 * One RTMP connection: bytes in, bytes out, the hub behind it. It knows no socket but the interface of
 * one, and is driven by calls alone, so that a test can play the peer byte by byte.
 * @module
 */

import { setImmediate } from "node:timers";
import type { Log } from "../../log/log.ts";
import { peerText } from "../../log/text.ts";
import type { TcpHandler, TcpSocket } from "../../net/tcp.ts";
import { type Command, reconnectRequest } from "../../rtmp/command.ts";
import { RtmpConnection } from "../../rtmp/connection.ts";
import { type Answer, ErrorCode, type Refusal, RtmpError } from "../../rtmp/error.ts";
import { ServerHandshake } from "../../rtmp/handshake.ts";
import { ChunkStream, MessageType } from "../../rtmp/message.ts";
import { ConnectPhase } from "./connect_phase.ts";
import { IdentifyPhase } from "./identify_phase.ts";
import {
  HANDSHAKE_TIMEOUT_MS,
  MAX_COMMAND_BYTES,
  MAX_PENDING_ANSWERS,
  REPUBLISH_TIMEOUT_MS,
  VERDICT_TIMEOUT_MS,
} from "./limits.ts";
import type { ClientRole } from "../../stats/session.ts";
import type { Phase, SessionContext, SessionHost, Whereabouts } from "./phase.ts";
import { ReadBudget, type Speaker } from "./read_budget.ts";
import type { ConnectInfo } from "./target.ts";

const NOTHING_SAID: ConnectInfo = {
  tcUrl: null,
  app: null,
  pageUrl: "",
  swfUrl: "",
  flashVer: "",
  enhanced: false,
  multitrack: false,
  reconnect: false,
  hops: [],
  args: null,
};

/** A question that has not been answered yet. */
interface Consultation {
  readonly since: number;
  readonly limitMs: number;
  /** What the peer has sent in the meantime, or before it and behind the request. */
  readonly kept: Uint8Array[];
}

/** What a session needs of the server around it, and tells it. */
export interface RtmpSessionHost extends SessionHost {
  /** The client has begun to publish or play, has gone from one to the other, or has ended (null). */
  roleChanged(session: RtmpSession, role: ClientRole | null): void;
  /** The connection is over. */
  finished(session: RtmpSession): void;
}

/** The server's side of one RTMP connection. */
export class RtmpSession implements TcpHandler, SessionContext {
  readonly id: string;
  readonly host: RtmpSessionHost;
  readonly log: Log;
  readonly socket: TcpSocket;
  info = NOTHING_SAID;
  whereabouts: Whereabouts | null = null;
  /** Clock ms of the accept. */
  readonly acceptedAt: number;
  /** Bytes from the peer, handshake included. */
  recvBytes = 0;
  /** Bytes to the peer, handshake included. */
  sentBytes = 0;
  /** Whether it ended, or will, for any reason but that it was through: the peer's close is one (SRS). */
  failed = false;

  /** Null once it is over. */
  #handshake: ServerHandshake | null = new ServerHandshake();
  readonly #connection: RtmpConnection;
  #phase: Phase | null = null;
  #summarised: { at: number; recv: number; sent: number };
  #closed = false;
  #ended = false;
  #askedToReconnect = false;
  /** Null while nothing has to be waited for. */
  #consultation: Consultation | null = null;
  readonly #budget = new ReadBudget();

  constructor(socket: TcpSocket, host: RtmpSessionHost, log: Log) {
    this.socket = socket;
    this.host = host;
    this.log = log;
    this.id = log.id;
    this.acceptedAt = host.clock.now();
    this.#summarised = { at: this.acceptedAt, recv: 0, sent: 0 };
    this.#connection = new RtmpConnection({
      get pendingBytes() {
        return socket.pendingBytes;
      },
      media: (message) => this.#phase?.media(message),
      command: (command) => this.#phase?.command(command),
      userControl: () => {},
      countRequest: () => this.#countRequest(),
    }, MAX_PENDING_ANSWERS);
    this.#connection.reader.maxMessageSize = MAX_COMMAND_BYTES;
    log.info(`RTMP client ip=${socket.remote}`);
  }

  /** What the client does, once it has said so. */
  get role(): ClientRole | null {
    return this.#phase?.role ?? null;
  }

  // ---- from the socket

  onBytes(bytes: Uint8Array): void {
    try {
      this.#receive(bytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  onWritable(): void {
    if (this.#closed) return;
    try {
      this.#phase?.writable();
    } catch (error) {
      this.#fail(error);
    }
  }

  onClose(error: Error | null): void {
    this.log.closing?.();
    if (!this.#closed) this.failed = true;
    if (!this.#closed && this.recvBytes === 0) {
      // What load balancers do to see whether the port is open (Q58).
      this.log.info(`client disconnect peer before it sent anything. ret=${ErrorCode.PEER_CLOSED}`);
    } else if (!this.#closed) {
      const reason = error ? `connection lost: ${error.message}` : "client disconnect peer";
      this.log.warn(`${peerText(reason)}. ret=${ErrorCode.PEER_CLOSED}`, ErrorCode.PEER_CLOSED);
    }
    this.#closed = true;
    this.#end();
    this.#connection.reader.end();
    this.log.info("client finished.");
    this.#tellClosed();
    this.host.finished(this);
  }

  /** Once a second; clock ms. */
  tick(nowMs: number): void {
    if (this.#closed) return;
    this.#budget.renew();
    if (this.#budget.holds) this.#release();
    const asked = this.#consultation;
    this.#guard(() => {
      if (asked) {
        if (nowMs - asked.since <= asked.limitMs) return;
        this.close(ErrorCode.TIMEOUT, `no verdict within ${asked.limitMs} ms`);
      } else if (this.#phase) this.#phase.tick(nowMs);
      else if (nowMs - this.acceptedAt > HANDSHAKE_TIMEOUT_MS) {
        this.close(ErrorCode.TIMEOUT, `no handshake within ${HANDSHAKE_TIMEOUT_MS} ms`);
      }
    });
  }

  /** The server stops, or has no use for the connection: a player is told that its stream ends. */
  shutdown(reason = "the server stops"): void {
    this.#guard(() => {
      if (this.#closed) return;
      this.#phase?.farewell();
      this.close(ErrorCode.SERVER_STOP, reason);
    });
  }

  /**
   * Asks a publisher or player to reconnect, once; `tcUrl`: where, null: at the same address. False
   * when it has not announced that it can, has been asked, or has nothing to take elsewhere.
   */
  requestReconnect(description: string, tcUrl: string | null): boolean {
    if (this.#closed || this.#askedToReconnect || !this.info.reconnect || !this.role) return false;
    this.#askedToReconnect = true;
    this.#guard(() => {
      const request = reconnectRequest(description, tcUrl);
      this.reply(ChunkStream.COMMAND, MessageType.COMMAND_AMF0, request);
      this.flush();
      this.log.info(`asked to reconnect${tcUrl === null ? "" : ` to ${peerText(tcUrl)}`}`);
    });
    return true;
  }

  /** Drops the connection at once. */
  kick(): void {
    this.log.warn(`client kicked. ret=${ErrorCode.KICKED}`, ErrorCode.KICKED);
    this.#closed = this.failed = true;
    this.#end();
    this.socket.abort();
  }

  /** Cuts the connection off after `shutdown`: the peer has not taken its last bytes in time. */
  abort(): void {
    this.socket.abort();
  }

  /**
   * The line of figures that is logged every `pithy_print_ms`: rates over all the time and since the
   * last such line. Empty while there is nothing to tell.
   */
  summary(nowMs: number): string {
    const text = this.#closed ? "" : this.#phase?.summary() ?? "";
    const { at, recv, sent } = this.#summarised;
    this.#summarised = { at: nowMs, recv: this.recvBytes, sent: this.sentBytes };
    if (!text) return "";
    const alive = nowMs - this.acceptedAt;
    const kbps = (all: number, before: number) =>
      `${Math.round(all * 8 / alive)},${Math.round((all - before) * 8 / (nowMs - at))}`;
    return `${text}, time=${Math.round(alive)}ms, okbps=${kbps(this.sentBytes, sent)}, ` +
      `ikbps=${kbps(this.recvBytes, recv)}`;
  }

  /** Clock ms of the last summary. */
  get summarisedAt(): number {
    return this.#summarised.at;
  }

  // ---- for the phases

  get maxMessageSize(): number {
    return this.#connection.reader.maxMessageSize;
  }

  set maxMessageSize(bytes: number) {
    this.#connection.reader.maxMessageSize = bytes;
  }

  get chunkSize(): number {
    return this.#connection.writer.chunkSize;
  }

  setChunkSize(size: number): void {
    this.#connection.setChunkSize(size);
  }

  setDefaultAckWindow(bytes: number): void {
    this.#connection.acks.defaultWindow = bytes;
  }

  reply(chunkStream: number, type: number, payload: Uint8Array, streamId = 0): void {
    this.#connection.write(chunkStream, type, payload, streamId);
  }

  flush(): void {
    const { writer } = this.#connection;
    if (writer.length > 0) this.send(writer.take());
  }

  send(bytes: Uint8Array): boolean {
    this.sentBytes += bytes.length;
    return this.socket.send(bytes);
  }

  consult(
    ask: (answer: Answer) => void,
    then: (refusal: Refusal | null) => void,
    limitMs = VERDICT_TIMEOUT_MS,
  ): void {
    let waits = false;
    let answered = false;
    const consultation: Consultation = { since: this.host.clock.now(), limitMs, kept: [] };
    ask((refusal) => {
      if (answered || this.#closed) return false;
      answered = true;
      if (waits) this.#resume(consultation, () => then(refusal));
      else then(refusal);
      return true;
    });
    if (answered) return;
    waits = true;
    this.#consultation = consultation;
    this.socket.pauseReading();
  }

  enter(phase: Phase): void {
    // A player whose first bytes could not be sent: the connection ended while the phase began.
    if (this.#ended) return phase.leave();
    this.#phase?.leave();
    this.#phase = phase;
    this.socket.expect(phase.role && (phase.role.publish ? "publisher" : "player"));
    this.host.roleChanged(this, phase.role);
  }

  identifyAgain(hasStream: boolean): void {
    const deadline = this.host.clock.now() + REPUBLISH_TIMEOUT_MS;
    this.enter(new IdentifyPhase(this, deadline, hasStream));
  }

  redispatch(command: Command): void {
    this.#phase?.command(command);
  }

  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.log.closing?.();
    this.failed = code !== 0;
    const text = `server disconnect: ${peerText(reason)}. ret=${code}`;
    if (code === 0 || code === ErrorCode.SERVER_STOP) this.log.info(text);
    else this.log.warn(text, code);
    this.#end();
    this.flush();
    this.socket.close();
  }

  fault(error: unknown): void {
    this.log.error("internal fault, connection closed", undefined, error);
    this.#closed = this.failed = true;
    this.#end();
    this.socket.abort();
  }

  // ---- inside

  /** Runs `work`, whose faults end this connection. Not for the hot path: it takes a closure. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The answer has come: what the peer has sent since is next. */
  #resume({ kept }: Consultation, then: () => void): void {
    this.#consultation = null;
    this.#guard(() => {
      then();
      this.flush();
      for (let bytes = kept.shift(); bytes && !this.#closed; bytes = kept.shift()) {
        this.#handle(bytes);
        // Another question: the rest waits for its answer, behind what that one has kept.
        if (this.#consultation) this.#consultation.kept.push(...kept.splice(0));
      }
    });
    if (!this.#closed && !this.#consultation) this.socket.resumeReading();
  }

  /** Whatever goes wrong in a connection ends it, and no other. */
  #fail(error: unknown): void {
    if (error instanceof RtmpError) this.close(error.code, error.message);
    else this.fault(error);
  }

  /** The phase is left exactly once, and the stream is free again. */
  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    try {
      this.#phase?.leave();
      this.host.roleChanged(this, null);
    } catch (error) {
      this.fault(error);
    }
  }

  #tellClosed(): void {
    if (!this.whereabouts) return;
    const { vhost, app } = this.whereabouts;
    this.host.access.closed(
      {
        id: this.id,
        ip: this.socket.remoteAddress,
        vhost: vhost.name,
        app,
        sendBytes: this.sentBytes,
        recvBytes: this.recvBytes,
      },
      vhost,
      this.log,
    );
  }

  #receive(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.recvBytes += bytes.length;
    this.#connection.acks.add(bytes.length);
    if (this.#handshake) {
      bytes = bytes.subarray(this.#shakeHands(this.#handshake, bytes));
      if (this.#handshake) return;
    }
    this.#connection.acknowledge();
    // The runtime may have read before it was told to wait.
    if (this.#consultation) this.#consultation.kept.push(bytes.slice());
    else if (this.#budget.holds) this.#budget.hold(bytes);
    else this.#handle(bytes);
  }

  #handle(bytes: Uint8Array): void {
    this.#budget.begin(this.#speaker, bytes.length);
    this.#connection.reader.push(bytes);
    while (
      !this.#closed && !this.#consultation && !this.#budget.holds && this.#connection.reader.next()
    ) {
      // Before the message: one that sets the window is not the first to be counted against it.
      this.#connection.acknowledge();
      this.#connection.dispatch();
      if (!this.#closed && this.#budget.countMessage(this.#speaker)) this.#waitForTurn();
    }
    const { rest } = this.#connection.reader;
    if (this.#consultation && rest.length > 0) this.#consultation.kept.push(rest.slice());
    else if (this.#budget.holds && rest.length > 0) this.#budget.hold(rest);
    else if (!this.#closed && this.#budget.end()) this.#waitForTurn();
    this.flush();
    if (!this.#closed) this.#phase?.readDone(bytes.length);
  }

  get #speaker(): Speaker {
    const role = this.#phase?.role;
    return !role ? "newcomer" : role.publish ? "publisher" : "player";
  }

  /** The others come first; then, in the next turn or second, what waits. */
  #waitForTurn(): void {
    this.socket.pauseReading();
    if (this.#budget.hasTurns) setImmediate(() => this.#release());
  }

  #release(): void {
    if (this.#closed || !this.#budget.holds) return;
    const held = this.#budget.take();
    this.#guard(() => {
      for (const bytes of held) {
        if (this.#closed) return;
        if (this.#consultation) this.#consultation.kept.push(bytes);
        else if (this.#budget.holds) this.#budget.hold(bytes);
        else this.#handle(bytes);
      }
    });
    if (!this.#closed && !this.#consultation && !this.#budget.holds) this.socket.resumeReading();
  }

  /** Returns the bytes that the handshake has used. */
  #shakeHands(handshake: ServerHandshake, bytes: Uint8Array): number {
    const used = handshake.push(bytes, this.host.clock.now());
    const { answer, kind, proxiedAddress } = handshake;
    if (answer) {
      handshake.answer = null;
      this.send(answer);
      const from = proxiedAddress ? `, real ip=${proxiedAddress}` : "";
      this.log.info(`${kind} handshake success${from}`);
    }
    if (handshake.done) {
      this.#handshake = null;
      this.enter(new ConnectPhase(this));
    }
    return used;
  }

  #countRequest(): boolean {
    this.#budget.countRequest();
    // A player that does not read is dealt with by its phase.
    if (this.role?.publish !== false && this.socket.pendingBytes > MAX_PENDING_ANSWERS) {
      throw new RtmpError(ErrorCode.LIMIT, "the peer asks, and does not read the answers");
    }
    return true;
  }
}
