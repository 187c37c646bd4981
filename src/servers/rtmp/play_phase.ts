/**
 * A player.
 * @module
 */

import type { Grant } from "../../access/grant.ts";
import type { LiveStream } from "../../live/stream/live_stream.ts";
import type { Player, PlayerSink } from "../../live/play/player.ts";
import { peerText } from "../../log/text.ts";
import { booleanOf } from "../../rtmp/amf_access.ts";
import {
  type Command,
  createStreamResult,
  onStatus,
  result,
  sampleAccess,
} from "../../rtmp/command.ts";
import { ErrorCode } from "../../rtmp/error.ts";
import {
  ChunkStream,
  MessageType,
  STREAM_ID,
  UserControl,
  userControlBody,
} from "../../rtmp/message.ts";
import { END_TOLD_AFTER_MS, PLAYER_STALL_MS } from "./limits.ts";
import { type ClientRole } from "../../stats/session.ts";
import { applyVhost, BasePhase, type SessionContext } from "./phase.ts";
import { relayClient } from "./relay_client.ts";
import type { PlayRequest } from "./stream_request.ts";
import type { Target } from "./target.ts";

/** Media flows from a stream to the client. */
export class PlayPhase extends BasePhase implements PlayerSink {
  override readonly role: ClientRole;
  readonly #stream: LiveStream;
  readonly #target: Target;
  readonly #grant: Grant;
  readonly #player: Player;
  /** Since when (clock ms) the socket has not got rid of what it was given; null: it has. */
  #stalledSince: number | null = null;
  #ended = false;
  #wasActive = false;
  /** The end of the stream that the client was told of last, see `LiveStream.endedAt`. */
  #toldEnd: number | null;

  /** Answers the client and joins the stream, whether or not it has a publisher. */
  static start(session: SessionContext, request: PlayRequest, grant: Grant): PlayPhase {
    const { target, stream, durationMs } = request;
    const { vhost, key } = target;
    // The stream's chunks are cut already: what we announce must be what they were cut to.
    applyVhost(session, stream.vhost);
    control(session, UserControl.STREAM_BEGIN);
    const details = [["details", "stream"]] as const;
    status(session, "NetStream.Play.Reset", "Playing and resetting stream.", details);
    status(session, "NetStream.Play.Start", "Started playing stream.", details);
    session.reply(ChunkStream.STATUS, MessageType.DATA_AMF0, sampleAccess(), STREAM_ID);
    session.flush();
    session.log.info(
      `start play ${peerText(key)} mw_sleep=${vhost.play.mwLatencyMs}, ` +
        `mw_msgs=${vhost.play.mwMsgs}, realtime=${vhost.minLatency ? 1 : 0}, ` +
        `tcp_nodelay=${vhost.tcpNodelay ? 1 : 0}`,
    );
    grant.begin();
    session.host.relay.play(stream, relayClient(session, target));
    return new PlayPhase(session, stream, target, grant, durationMs);
  }

  private constructor(
    session: SessionContext,
    stream: LiveStream,
    target: Target,
    grant: Grant,
    durationMs: number,
  ) {
    super(session);
    this.#grant = grant;
    this.#stream = stream;
    // It was over before this one came, who waits for the next.
    this.#toldEnd = stream.endedAt;
    this.#target = target;
    this.#player = stream.join(this, {
      durationMs: Math.max(0, durationMs),
      multitrack: session.info.multitrack,
      onEnd: () => this.#onEnd(),
    });
    const { stream: name } = target.url;
    this.role = { type: "rtmp-play", publish: false, stream, name, player: this.#player };
  }

  /** `PlayerSink`: an exception here must not reach the publisher whose turn this is. */
  send(bytes: Uint8Array): boolean {
    try {
      const through = this.session.send(bytes);
      if (!through) this.#stalledSince ??= this.session.host.clock.now();
      return through;
    } catch (error) {
      this.session.fault(error);
      return false;
    }
  }

  override writable(): void {
    this.#stalledSince = null;
    this.#player.writable();
  }

  command(command: Command): void {
    const { name, transactionId, args } = command;
    switch (name) {
      case "pause":
        return this.#pause(booleanOf(args[1]) ?? false);
      case "closeStream":
        return this.session.identifyAgain(true);
      case "play":
        this.session.identifyAgain(true);
        return this.session.redispatch(command);
      case "createStream":
        return this.#answer(createStreamResult(transactionId));
      case "_result":
      case "_error":
      case "onStatus":
        return;
      default:
        // deleteStream too: ffmpeg's does not stop the stream with SRS either.
        if (transactionId > 0) {
          this.#answer(result(transactionId, name === "getStreamLength" ? 0 : null));
        }
    }
  }

  tick(nowMs: number): void {
    this.#tellEnd(nowMs);
    if (this.#stalledSince === null || nowMs - this.#stalledSince < PLAYER_STALL_MS) return;
    this.session.close(ErrorCode.TIMEOUT, `the player has taken nothing for ${PLAYER_STALL_MS} ms`);
  }

  override farewell(): void {
    status(this.session, "NetStream.Play.UnpublishNotify", "The stream has ended.");
    this.#sayStopped();
  }

  #sayStopped(): void {
    status(this.session, "NetStream.Play.Stop", "Stopped playing stream.");
    control(this.session, UserControl.STREAM_EOF);
  }

  override leave(): void {
    this.#stream.leave(this.#player);
    this.session.host.relay.left(this.#stream);
    this.#grant.end();
  }

  override summary(): string {
    const { mwLatencyMs, mwMsgs } = this.#stream.vhost.play;
    const lag = this.#player.lagMs;
    return `-> PLA ${peerText(this.#target.key)} lag=${Math.round(lag)}ms, ` +
      `dropped=${this.#player.droppedMessages}/${this.#player.jumps}, ` +
      `mw=${Math.round(this.#stream.flushIntervalMs)}/${mwLatencyMs}/${mwMsgs}`;
  }

  /** The stream has ended at the origin, and has had no publisher since (S10). */
  #tellEnd(nowMs: number): void {
    const { endedAt, active } = this.#stream;
    if (this.session.info.hops.length > 0) {
      // An edge has players of its own to tell, and waits for the next publisher.
      if (this.#wasActive && !active) this.#sayEnded();
      this.#wasActive = active;
      return;
    }
    if (endedAt === null || endedAt === this.#toldEnd) return;
    if (nowMs - endedAt < END_TOLD_AFTER_MS) return;
    this.#toldEnd = endedAt;
    this.#sayEnded();
  }

  #sayEnded(): void {
    status(this.session, "NetStream.Play.UnpublishNotify", "The stream has ended.");
    control(this.session, UserControl.STREAM_EOF);
    this.session.flush();
  }

  #pause(paused: boolean): void {
    if (paused) {
      status(this.session, "NetStream.Pause.Notify", "Paused stream.");
      control(this.session, UserControl.STREAM_EOF);
    } else {
      status(this.session, "NetStream.Unpause.Notify", "Unpaused stream.");
      control(this.session, UserControl.STREAM_BEGIN);
    }
    this.session.flush();
    this.#player.pause(paused);
  }

  #onEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#sayStopped();
    this.session.close(0, "the duration asked for has been played");
  }

  #answer(payload: Uint8Array): void {
    this.session.reply(ChunkStream.COMMAND, MessageType.COMMAND_AMF0, payload);
  }
}

function status(
  session: SessionContext,
  code: string,
  description: string,
  extra: Iterable<readonly [string, string]> = [],
): void {
  const payload = onStatus("status", code, description, extra);
  session.reply(ChunkStream.STATUS, MessageType.COMMAND_AMF0, payload, STREAM_ID);
}

function control(session: SessionContext, event: number): void {
  const body = userControlBody(event, STREAM_ID);
  session.reply(ChunkStream.CONTROL, MessageType.USER_CONTROL, body);
}
