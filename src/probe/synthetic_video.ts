/**
 * H.264 made by hand (ITU-T H.264, constrained baseline): grey pictures of 256x144, whose brightness
 * changes with every keyframe, in a few bytes each.
 *
 * A keyframe has one macroblock of plain samples; all others are predicted from their neighbours without
 * any residual, and so take on its colour. The pictures in between skip every macroblock.
 * @module
 */

import { BitWriter } from "./bit_writer.ts";

const WIDTH_MBS = 16;
const HEIGHT_MBS = 9;
/** Pixels. */
export const VIDEO_WIDTH = WIDTH_MBS * 16;
export const VIDEO_HEIGHT = HEIGHT_MBS * 16;

const PROFILE_BASELINE = 66;
/** Constraint sets 0 and 1: constrained baseline, which every decoder can do. */
const CONSTRAINTS = 0xc0;
/** Level 4: 20 Mbit/s, and more pictures a second than a probe asks for. */
const LEVEL = 40;
const FRAME_NUM_BITS = 16;

const NAL = { SLICE: 0x41, IDR: 0x65, SPS: 0x67, PPS: 0x68, FILLER: 0x0c } as const;
const SLICE_P = 5;
const SLICE_I = 7;
/** `mb_type` of an I slice: plain samples. */
const I_PCM = 25;
/** `mb_type`: 16x16, predicted from the mean of the neighbours, nothing coded. */
const I_16X16_DC = 3;
/** A macroblock's samples: 256 of brightness, 2 x 64 of colour. */
const LUMA_SAMPLES = 256;
const CHROMA_SAMPLES = 128;
const NEUTRAL = 128;
/** Brightness of the keyframes, in turn. */
const BRIGHTNESS = [60, 90, 120, 150, 180, 150, 120, 90];

/** A NAL unit with its emulation prevention bytes: 03 after 00 00 where a byte below 4 follows. */
export function escapeNal(nal: Uint8Array): Uint8Array {
  const out: number[] = [];
  let zeros = 0;
  for (const byte of nal) {
    if (zeros >= 2 && byte <= 3) {
      out.push(3);
      zeros = 0;
    }
    out.push(byte);
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return Uint8Array.from(out);
}

function nal(type: number, body: BitWriter): Uint8Array {
  return escapeNal(Uint8Array.of(type, ...body.trailing().bytes()));
}

function sequenceParameterSet(fps: number): Uint8Array {
  const bits = new BitWriter();
  bits.bits(PROFILE_BASELINE, 8).bits(CONSTRAINTS, 8).bits(LEVEL, 8).ue(0);
  // Pictures come out in the order they go in (poc type 2), after one reference picture each.
  bits.ue(FRAME_NUM_BITS - 4).ue(2).ue(1).bits(0, 1);
  bits.ue(WIDTH_MBS - 1).ue(HEIGHT_MBS - 1).bits(0b110, 3);
  // VUI: the frame rate, and that no decoder need hold a picture back.
  bits.bits(1, 1).bits(0, 4);
  bits.bits(1, 1).bits(1000, 32).bits(Math.round(2000 * fps), 32).bits(1, 1);
  bits.bits(0, 3).bits(0b11, 2).ue(0).ue(0).ue(10).ue(10).ue(0).ue(1);
  return nal(NAL.SPS, bits);
}

function pictureParameterSet(): Uint8Array {
  const bits = new BitWriter().ue(0).ue(0).bits(0, 2).ue(0).ue(0).ue(0).bits(0, 3);
  // Deblocking can be switched off in the slice.
  return nal(NAL.PPS, bits.ue(0).ue(0).ue(0).bits(0b100, 3));
}

/** The AVCDecoderConfigurationRecord. */
export function videoConfig(fps: number): Uint8Array {
  const sps = sequenceParameterSet(fps);
  const pps = pictureParameterSet();
  return Uint8Array.of(
    ...[1, PROFILE_BASELINE, CONSTRAINTS, LEVEL, 0xff],
    ...[0xe1, sps.length >> 8, sps.length, ...sps],
    ...[1, pps.length >> 8, pps.length, ...pps],
  );
}

/** A keyframe's slice; `count` keyframes came before it. */
export function keyframeSlice(count: number): Uint8Array {
  const bits = new BitWriter().ue(0).ue(SLICE_I).ue(0).bits(0, FRAME_NUM_BITS);
  bits.ue(count % 2).bits(0, 2).ue(0).ue(1);
  bits.ue(I_PCM).align();
  bits.raw(new Uint8Array(LUMA_SAMPLES).fill(BRIGHTNESS[count % BRIGHTNESS.length]));
  bits.raw(new Uint8Array(CHROMA_SAMPLES).fill(NEUTRAL));
  for (let mb = 1; mb < WIDTH_MBS * HEIGHT_MBS; mb++) {
    // Prediction of colour from the mean, same quantiser, and the code for "no coefficients". That one
    // depends on the neighbours: plain samples count as 16.
    bits.ue(I_16X16_DC).ue(0).ue(0);
    if (mb === 1 || mb === WIDTH_MBS) bits.bits(0b000011, 6);
    else bits.bits(1, 1);
  }
  return nal(NAL.IDR, bits);
}

/** The slice of picture `number` after a keyframe, from 1 on: the same picture again. */
export function repeatSlice(number: number): Uint8Array {
  const bits = new BitWriter().ue(0).ue(SLICE_P).ue(0);
  bits.bits(number % 2 ** FRAME_NUM_BITS, FRAME_NUM_BITS).bits(0, 3).ue(0).ue(1);
  return nal(NAL.SLICE, bits.ue(WIDTH_MBS * HEIGHT_MBS));
}

/** A NAL unit of `size` bytes, 2 at least, that decoders pass over. */
export function fillerNal(size: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(2, size)).fill(0xff);
  bytes[0] = NAL.FILLER;
  bytes[bytes.length - 1] = 0x80;
  return bytes;
}
