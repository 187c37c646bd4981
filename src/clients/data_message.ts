/**
 * Data messages of an upstream.
 * @module
 */

import { readMetadata } from "../codec/metadata.ts";
import type { AmfEcmaArray } from "../rtmp/amf_value.ts";
import { RtmpError } from "../rtmp/error.ts";
import type { Message } from "../rtmp/message.ts";

/** The fields of an `onMetaData` message; null for other data, and for what cannot be decoded. */
export function metadataOf(message: Message): AmfEcmaArray | null {
  try {
    return readMetadata(message.type, message.payload);
  } catch (error) {
    if (error instanceof RtmpError) return null;
    throw error;
  }
}
