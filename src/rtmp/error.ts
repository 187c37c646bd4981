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

/** SRS's numbers for the faults that we report too. */
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
  STREAM_BUSY: 1028,
  /** No origin would have it, or could be reached. */
  ORIGIN: 3067,
  /** There is nowhere to forward it to. */
  FORWARD: 4000,
  /** It has come from this very server. */
  LOOP: 4001,
  SERVER_STOP: 1069,
  KICKED: 1070,
} as const;
