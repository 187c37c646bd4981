/**
 * The directive table, part 5: HLS.
 * @module
 */
import { block, decimal, flag, type Leaf, names } from "./spec.ts";

const live = { env: true, reload: "live" } as const;

/** `vhost { hls { } }`; what is not here is in `OTHERS`. */
export const HLS_SETTINGS = {
  enabled: flag("off", "Make HLS of the streams, in parts for low latency, in memory.", live),
  hls_fragment: decimal(2, "Shortest segment (SRS: 10); it ends at the next keyframe.", {
    ...live,
    unit: "s",
    min: 1,
    max: 60,
  }),
  // Ours, not SRS's.
  hls_part: decimal(0.2, "Shortest part of a segment; players are about five of them behind.", {
    ...live,
    unit: "s",
    min: 0.1,
    max: 2,
  }),
  hls_window: decimal(60, "Segments that the playlist has.", {
    ...live,
    unit: "s",
    min: 3,
    max: 3600,
  }),
  hls_ctx: flag("on", "Each viewer is a client of the API, asks hooks and counts in limits.", live),
};

/** What SRS has besides: most of it is about files, and none are written. */
const OTHERS = names({
  hls_entry_prefix: "Prefix of URLs in the playlist.",
  hls_path: "Directory of the files.",
  hls_on_error: "What to do on an error.",
  hls_storage: "Where segments are kept.",
  hls_mount: "Path of segments in memory.",
  hls_td_ratio: "Ratio for the target duration.",
  hls_aof_ratio: "Ratio for cutting pure audio.",
  hls_acodec: "Audio codec of the segments.",
  hls_vcodec: "Video codec of the segments.",
  hls_m3u8_file: "File name of the playlist.",
  hls_ts_file: "File name of a segment.",
  hls_ts_floor: "Name segments by the rounded time.",
  hls_cleanup: "Remove old segments.",
  hls_nb_notify: "Bytes read of an on_hls_notify answer.",
  hls_wait_keyframe: "Cut at keyframes.",
  hls_dispose: "Remove everything after so many s without a stream.",
  hls_keys: "Encrypt segments.",
  hls_fragments_per_key: "Segments per key.",
  hls_key_file: "File name of a key.",
  hls_key_file_path: "Directory of the keys.",
  hls_key_url: "URL of the keys.",
  hls_dts_directly: "Use RTMP's timestamps as they are.",
  hls_ts_ctx: "Count viewers by segment.",
  hls_use_fmp4: "Make fragmented MP4 instead of MPEG-TS.",
  hls_fmp4_file: "File name of such a segment.",
  hls_init_file: "File name of the header that they share.",
  hls_recover: "Go on with an old playlist after a restart.",
  hls_master_m3u8_path_relative: "Relative URLs in the master playlist.",
});

/** `hls { }` */
export const HLS = block(
  {
    ...HLS_SETTINGS,
    ...Object.fromEntries(
      Object.entries(OTHERS).map((
        [name, leaf],
      ): [string, Leaf<readonly string[]>] => [name, { ...leaf, status: "not offered" }]),
    ),
  },
  "HLS and Low-Latency HLS.",
);
