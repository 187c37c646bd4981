/**
 * The limits of a stream: each with its unit and its reason.
 * @module
 */

/**
 * Bytes of segments that a mirror may have at a time: what a log may hold, and what is on the way. One
 * that has more is stuck; it loses what comes, and resumes at a keyframe when it has caught up.
 */
export const MAX_LENT_BYTES = 80 * 1024 * 1024;

/**
 * ms of audio behind the last picture after which a stream is audio only. Slide shows and slow cameras
 * send one in up to 10 s, and an encoder that drops frames for want of bandwidth is as long without
 * one; whatever the number of audio messages (SRS counts 115, which are 2.5 s). Until then the GOP is
 * kept, so that no joining player has to wait.
 */
export const VIDEO_GONE_MS = 30_000;

/** ms of audio from the beginning after which a publisher without a picture is audio only. */
export const NO_VIDEO_MS = 3000;

/**
 * Longest GOP that joiners are given, ms, whatever `gop_cache_max_frames` says: a keyframe every 5 min
 * is the rarest that cameras offer. Its bytes are limited by those of the log.
 */
export const MAX_GOP_MS = 300_000;

/** A stream with neither publisher nor player is forgotten after this long, ms (SRS: 3 to 6 s). */
export const IDLE_STREAM_MS = 3000;

/**
 * Bytes that a stream's log in one format may hold before slow players lose their backlog and joiners
 * their GOP, whatever `queue_length` says: half a minute at 17 Mbps, and bearable on a board with 1 GB.
 */
export const MAX_LOG_BYTES = 64 * 1024 * 1024;

/**
 * ms that a player may take nothing at all before it is closed. SRS allows 30 s; a phone that changes
 * networks takes that long, and costs no more than one write while it does.
 */
export const PLAYER_STALL_MS = 60_000;

/** Smallest segment, bytes: an idle low-rate stream costs one of these. */
export const MIN_SEGMENT_BYTES = 64 * 1024;

/** Largest segment that is shared between streams, bytes. What is longer is made to measure. */
export const MAX_SEGMENT_BYTES = 512 * 1024;

/** Free segments kept, bytes in all: a few seconds of a few streams, little enough for a small board. */
export const MAX_FREE_BYTES = 8 * 1024 * 1024;

/**
 * Silence after which a publisher counts as stalled, ms: two missed keyframe intervals of most
 * encoders.
 */
export const STALLED_MS = 2000;

/**
 * ms between a newcomer's looks at whether the publisher that has its stream is still there: one turn
 * of an event loop in which it reads, and a busy one's.
 */
export const CLEAR_LOOKS_MS: readonly number[] = [20, 80];

/** ms for which an evicted publisher may not evict the other; each attempt starts the time again. */
export const REVENGE_MS = 60_000;

/** Addresses remembered for that. */
export const MAX_REMEMBERED = 64;

/** Headers remembered of one kind: tracks of a multitrack stream, their colour metadata, their codecs. */
export const MAX_HEADERS = 32;

/**
 * Bytes of one header, or of metadata: a real one has some hundred, with a colour profile or a picture of
 * the cover some KB. A longer one goes to the players that are there, and is not kept (H55).
 */
export const MAX_HEADER_BYTES = 64 * 1024;

/** Bytes of all headers of one kind: each joining player is sent them (H56). */
export const MAX_KEPT_BYTES = 128 * 1024;

/**
 * With only one kind queued, this many messages are released all the same (SRS). Data messages wait for
 * the media before them, as many as that too.
 */
export const PURE_MESSAGES = 10;

/** ms after its first message until a publisher that has sent one kind only is taken at that. */
export const GUESS_MS = 500;

/** ms after which a kind of which there is nothing but a header is taken not to come. */
export const HEADER_ONLY_MS = 3000;

/** A step of a track larger than this (ms), either way, may be a jump and no frame interval (SRS). */
export const MAX_STEP_MS = 250;
/** The step that stands in for a jump, ms (SRS). */
export const SUBSTITUTE_STEP_MS = 10;
/**
 * The tracks of an encoder whose clock is set jump within this time (ms), lumps and slow cameras
 * included.
 */
export const JUMP_TOGETHER_MS = 5000;
/**
 * A stream begins at its publisher's own time, at most here, ms: a track that lags behind the first one
 * has this much room before its time would be negative. Players that join later see such times anyway.
 */
export const MAX_START_MS = 60_000;
/**
 * How far below 0 a track may be, ms, when there is no such room (the first track began at 0). It is told
 * as 0 there, and is in its place afterwards; time that stands still for longer is worse than a jump.
 */
export const MAX_BELOW_ZERO_MS = 2000;

/** A segment that fills faster than this (ms) is followed by one twice as large. */
export const SEGMENT_FAST_MS = 1000;
/** A segment that lasts longer than this (ms) is followed by one half as large. */
export const SEGMENT_SLOW_MS = 8000;

/** A running timer is left alone if the flush need be no more than this earlier, ms. */
export const TIMER_SLACK_MS = 1;

/**
 * With an interval longer than this (ms) audio waits for the next picture and leaves in the same write:
 * 25 writes a second cost a third of the 68 that it takes to send each message by itself.
 */
export const RIDE_INTERVAL_MS = 4;
/** ms that audio waits for a picture at most: one frame interval of slow video. */
export const RIDE_MS = 50;
/** Below this (ms) a delay is not worth a timer, whose grain is 1 ms. */
export const MIN_DELAY_MS = 1;
