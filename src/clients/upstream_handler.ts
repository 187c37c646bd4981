/**
 * What an upstream tells its owner, whatever the protocol.
 * @module
 */

import type { AmfEcmaArray } from "../rtmp/amf_value.ts";
import type { StatusInfo } from "../rtmp/client_command.ts";
import type { Message } from "../rtmp/message.ts";

/** Why an upstream has ended. */
export type EndReason =
  /** We have closed it. */
  | "closed"
  /** There was no connection: refused, no such host, no way, time-out. */
  | "unreachable"
  /** The server is not what it should be: no RTMP, no FLV, broken protocol, limits exceeded. */
  | "protocol"
  /** The server said no. */
  | "refused"
  /** The server knows no such stream (or HTTP 404). */
  | "not-found"
  /** The stream is elsewhere, and we do not follow, or not any more. */
  | "redirect"
  /** An answer did not come in time. */
  | "timeout"
  /** Playing, but nothing comes (S7). */
  | "silent"
  /** The publisher has gone (S10). */
  | "unpublished"
  /** The upstream takes nothing of what we publish. */
  | "stalled"
  /** The connection broke, or the server closed it. */
  | "lost"
  /** A fault of ours. */
  | "fault";

/** The end of an upstream. */
export interface UpstreamEnd {
  readonly reason: EndReason;
  /** What happened, where, and what can be done, for people. Parts of it are the peer's text. */
  readonly text: string;
  /** The address that the server has named with reason `redirect`. */
  readonly redirect: string | null;
  /** What was thrown, with reason `fault`; else null. */
  readonly error: unknown;
}

/** The two ends of a connection: addresses as text, without brackets. */
export interface UpstreamPeer {
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** The other end's port. */
  readonly remotePort: number;
}

/** Takes what comes from an upstream. Calls come in the order of this list, `ended` is the last. */
export interface UpstreamHandler {
  /**
   * The transport stands; bytes will be exchanged. Again after a redirect. `peer`: between which
   * addresses; null when that cannot be known.
   */
  opened(peer: UpstreamPeer | null): void;
  /** The server has let us in: `connect` was accepted, or HTTP said 200. */
  connected(): void;
  /** Playing or publishing has begun. Once, however often the server says so (S3). */
  accepted(): void;
  /** `onMetaData`, decoded. The message itself comes as `media` as well. */
  metadata(fields: AmfEcmaArray): void;
  /** An audio, video or data message. It is borrowed: good for the time of the call. */
  media(message: Message): void;
  /** All that had come for now has been handed over as `media`. */
  settled(): void;
  /** Every `onStatus` and every refusal, before it takes effect. */
  status(info: StatusInfo): void;
  /** The publisher has gone, and the owner wanted to stay (S10). */
  unpublished(): void;
  /** What was published is through: there is room again. */
  writable(): void;
  /** A redirect is followed. */
  redirected(url: string): void;
  /** It is over. */
  ended(end: UpstreamEnd): void;
}

/** What most owners need not care about. */
export class UpstreamListener implements UpstreamHandler {
  opened(_peer: UpstreamPeer | null): void {}
  connected(): void {}
  accepted(): void {}
  metadata(_fields: AmfEcmaArray): void {}
  media(_message: Message): void {}
  settled(): void {}
  status(_info: StatusInfo): void {}
  unpublished(): void {}
  writable(): void {}
  redirected(_url: string): void {}
  ended(_end: UpstreamEnd): void {}
}
