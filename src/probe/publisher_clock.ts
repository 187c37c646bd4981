/**
 * What a publisher says of its own clock, which tells the true delay: Flash Media Live Encoder and
 * others send `onFI` with date and time of day, some the time in a data message of another name, such
 * as `onTimecode`. Times in `onMetaData` are no clock: servers keep that message for newcomers.
 * @module
 */

import { decodeAmf0All } from "../rtmp/amf0.ts";
import { type AnyAmf, numberOf, propertiesOf, propertyOf, stringOf } from "../rtmp/amf_access.ts";
import { RtmpError } from "../rtmp/error.ts";
import { metadataOf } from "../clients/data_message.ts";
import type { Message } from "../rtmp/message.ts";

/** Fields that hold ms since 1970 in what encoders send. */
const TIME_FIELDS = [
  "timestamp",
  "time",
  "ntp",
  "epoch",
  "unixTime",
  "absTime",
  "systemTime",
  "utc",
];
/** ms since 1970 that are believed: the years 2001 to 2100. */
const FIRST_TIME = 978_307_200_000;
const LAST_TIME = 4_102_444_800_000;
/** Microseconds are taken for such, from here on. */
const MICROSECONDS = 1e15;
const QUARTER_HOUR = 900_000;

/** ms since 1970 UTC that a data message bears; null if none. Never throws. */
export function publisherClock(message: Message, nowMs: number): number | null {
  let values: AnyAmf[];
  if (metadataOf(message) !== null) return null;
  try {
    values = decodeAmf0All(message.payload);
  } catch (error) {
    if (error instanceof RtmpError) return null;
    throw error;
  }
  const body = values.findLast((value) => propertiesOf(value) !== null);
  return timeOfDay(body, nowMs) ?? timeField(body);
}

/**
 * `onFI`: `sd` "dd-mm-yyyy" and `st` "hh:mm:ss.mmm", in the encoder's time zone, which it does not tell:
 * the one is taken that comes nearest to our own clock.
 */
function timeOfDay(body: AnyAmf, nowMs: number): number | null {
  const date = /^(\d\d)-(\d\d)-(\d{4})$/.exec(stringOf(propertyOf(body, "sd")) ?? "");
  const time = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,3}))?$/.exec(
    stringOf(propertyOf(body, "st")) ?? "",
  );
  if (!date || !time) return null;
  const [, day, month, year] = date.map(Number);
  const [, hour, minute, second] = time.map(Number);
  const ms = Number((time[4] ?? "0").padEnd(3, "0"));
  const utc = Date.UTC(year, month - 1, day, hour, minute, second, ms);
  return utc + Math.round((nowMs - utc) / QUARTER_HOUR) * QUARTER_HOUR;
}

function timeField(body: AnyAmf): number | null {
  for (const name of TIME_FIELDS) {
    const value = numberOf(propertyOf(body, name)) ?? 0;
    const ms = value >= MICROSECONDS ? value / 1000 : value;
    if (ms > FIRST_TIME && ms < LAST_TIME) return ms;
  }
  return null;
}
