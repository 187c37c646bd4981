/**
 * The containers in which streams are to be had by HTTP. The ending of `http_remux { mount }` says which
 * one a vhost has, as in SRS.
 * @module
 */

import { AudioCodec, audioCodec } from "../../codec/audio_header.ts";
import { videoCodec } from "../../codec/video_header.ts";
import { flvFileHeader } from "../../flv/flv_tag.ts";
import type { HeaderCache } from "../../live/ingest/header_cache.ts";
import type { Kinds } from "../../live/ingest/contents.ts";
import { FLV_TAGS } from "../../live/play/flv_tags.ts";
import type { Rendering } from "../../live/play/rendering.ts";
import { AAC_FRAMES, MP3_FRAMES, TRANSPORT_STREAM } from "../../remux/renderings.ts";
import { fitsTs } from "../../ts/ts_muxer.ts";

/** One container. */
export interface Container {
  readonly ending: string;
  readonly contentType: string;
  readonly rendering: Rendering;
  /** What comes before the stream, and is known once it is known what is in that; null: nothing. */
  readonly fileHeader: ((kinds: Kinds) => Uint8Array) | null;
  /** Whether it has a place for anything of a stream with these codecs, as far as they are known. */
  fits(audio: number, video: number): boolean;
}

/** All of them, by their endings. */
const CONTAINERS: readonly Container[] = [
  {
    ending: ".flv",
    contentType: "video/x-flv",
    rendering: FLV_TAGS,
    fileHeader: ({ audio, video }) => flvFileHeader(audio, video),
    fits: () => true,
  },
  {
    ending: ".ts",
    contentType: "video/MP2T",
    rendering: TRANSPORT_STREAM,
    fileHeader: null,
    fits: (audio, video) => fitsTs(audio) || fitsTs(video),
  },
  {
    ending: ".aac",
    contentType: "audio/x-aac",
    rendering: AAC_FRAMES,
    fileHeader: null,
    fits: (audio) => audio === AudioCodec.AAC,
  },
  {
    ending: ".mp3",
    contentType: "audio/mpeg",
    rendering: MP3_FRAMES,
    fileHeader: null,
    fits: (audio) => audio === AudioCodec.MP3,
  },
];

/** A codec that is not known, or not there. */
const NO_CODEC = 0;

/** The container of a path, or of a path template; null: none of ours. */
export function containerOf(path: string): Container | null {
  return CONTAINERS.find(({ ending }) => path.endsWith(ending)) ?? null;
}

/**
 * Whether a stream with these headers has something for a container. While nothing is known of it, it may
 * have.
 */
export function mayFill(container: Container, { audio, video }: HeaderCache): boolean {
  const codecs = [audio ? audioCodec(audio) : NO_CODEC, video ? videoCodec(video) : NO_CODEC];
  return codecs.every((codec) => codec === NO_CODEC) || container.fits(codecs[0], codecs[1]);
}
