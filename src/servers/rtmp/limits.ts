/**
 * Every limit of an RTMP connection that is no directive.
 * @module
 */

export { PLAYER_STALL_MS } from "../../live/limits.ts";

/** ms for the handshake (SRS: 30 s). One byte a second must not hold a socket for long (H16). */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** ms from the handshake to publish or play (SRS: 30 s for each step). */
export const IDENTIFY_TIMEOUT_MS = 30_000;
/**
 * ms after which players are told that a stream has ended at the origin of an edge: an encoder that comes
 * back sooner is no end.
 */
export const END_TOLD_AFTER_MS = 3000;
/** ms that a step of access may take, before the client is sent away. */
export const VERDICT_TIMEOUT_MS = 10_000;
/** ms that all hooks together may take: a little more than they limit themselves to. */
export const HOOKS_TIMEOUT_MS = 35_000;
/** ms to publish or play again after FCUnpublish or closeStream (SRS: 3 minutes). */
export const REPUBLISH_TIMEOUT_MS = 180_000;
/** Bytes of a message from a peer that does not publish: commands, which are short (H11). */
export const MAX_COMMAND_BYTES = 64 * 1024;
/** Commands and pings per second from one peer. A client starts with about ten (H10, H20). */
export const MAX_REQUESTS_PER_SECOND = 100;
/**
 * Messages of any kind in a second from a peer that does nothing yet: it starts with about twenty
 * (H57).
 */
export const MAX_MESSAGES_PER_SECOND = 500;
/** ... from a player: one that acknowledges every 5 KB of 100 Mbit/s sends 2500. */
export const MAX_PLAYER_MESSAGES_PER_SECOND = 6000;
/** Bytes of either in a second: chunks of one byte take as long as messages. */
export const MAX_BYTES_PER_SECOND = 256 * 1024;
/**
 * Messages of a publisher in one turn of the event loop, some ms of work. The others come next (H57).
 */
export const MAX_MESSAGES_PER_TURN = 2000;
/**
 * Messages of a publisher in a second: a hundred times what a camera sends. What comes beyond waits for
 * the next second, in the end in the publisher's own socket.
 */
export const MAX_PUBLISHED_PER_SECOND = 20_000;
/** Bytes that may wait in this way, which is what had been read before reading was stopped. */
export const MAX_HELD_BYTES = 4 * 1024 * 1024;
/** createStream commands without publish or play between them (SRS: the fourth closes). */
export const MAX_CREATE_STREAM = 3;
/** Bytes of answers that may wait for a peer that does not read (H20). */
export const MAX_PENDING_ANSWERS = 256 * 1024;
/** A read shorter than this (bytes) is followed by the pause of `mr` (SRS). */
export const SMALL_READ_BYTES = 4096;
/**
 * A read larger than this (bytes) shows a stream that could fill its socket's buffer while it is left
 * there because it has no player.
 */
export const IDLE_GATHER_MAX_BYTES = 60 * 1024;
/** ms for which such a stream is read at once again: a full buffer would slow its encoder down. */
export const IDLE_GATHER_REST_MS = 10_000;
/** Window in Set Peer Bandwidth, bytes (SRS). */
export const PEER_BANDWIDTH = 2_500_000;

/** Announced window towards such a client, bytes: SRS's default. */
export const FALLBACK_ACK_WINDOW = 2_500_000;

/** ms between two times of reading. What a joining player's GOP may lack for a moment. */
export const IDLE_GATHER_MS = 250;
/**
 * ms that a socket which must be read by the runtime is read: enough for one turn of the event loop, in
 * which all has come.
 */
export const IDLE_READ_MS = 2;
