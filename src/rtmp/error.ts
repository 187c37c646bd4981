/**
 * The one error type for a peer's faults.
 * @module
 */

/**
 * The peer broke the protocol, or asked for something that it cannot have. It ends that connection
 * with one log line. Anything else that is thrown while bytes are handled is a bug of ours.
 * `code` is SRS's error number where SRS has one, so that log readers find it.
 */
export class RtmpError extends Error {
  override readonly name = "RtmpError";
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

/**
 * Why a client may not have what it asks for. It is told to the client, in its protocol's words, and
 * logged: no secrets, no addresses of servers.
 */
export interface Refusal {
  /** One of `ErrorCode`. */
  readonly code: number;
  readonly reason: string;
}

/** Takes why something is refused, or null: it is not. False: the answer comes too late. */
export type Answer = (refusal: Refusal | null) => boolean;

/** SRS's numbers for the faults and refusals that we report too. */
export const ErrorCode = {
  HANDSHAKE: 2000,
  CHUNK_START: 2001,
  AMF_DECODE: 2003,
  AMF_INVALID: 2004,
  CONNECT_TCURL: 2005,
  TCURL: 2006,
  CHUNK_SIZE: 2010,
  PACKET_SIZE: 2013,
  NO_VHOST: 2014,
  LIMIT: 2046,
  IDLE_PUBLISHER: 2056,
  PEER_CLOSED: 1007,
  TIMEOUT: 1011,
  SECURITY_NO_RULES: 1052,
  SECURITY_DENIED: 1053,
  SECURITY_NOT_ALLOWED: 1054,
  /** `refer` or a signature is against it. */
  ACCESS_DENIED: 2015,
  HOOK: 3064,
  STREAM_BUSY: 1028,
  /** No origin would have it, or could be reached. */
  ORIGIN: 3067,
  /** There is nowhere to forward it to. */
  FORWARD: 4000,
  /** It has come from this very server. */
  LOOP: 4001,
  /** No publisher has the stream. */
  NOT_LIVE: 4002,
  SERVER_STOP: 1069,
  KICKED: 1070,
} as const;
