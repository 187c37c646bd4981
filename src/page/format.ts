/**
 * Figures as people read them.
 * @module
 */

const DASH = "–";

/** `1h 02m`, `3m 05s`, `12 s`, `4d 3h`. */
export function duration(ms: number | null): string {
  if (ms === null) return DASH;
  const s = Math.floor(ms / 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
  if (s < 86_400) return `${Math.floor(s / 3600)}h ${two(Math.floor(s / 60) % 60)}m`;
  return `${Math.floor(s / 86_400)}d ${Math.floor(s / 3600) % 24}h`;
}

/** `0.42 ms`, `12 ms`, `1.25 s`. */
export function delay(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return DASH;
  const size = Math.abs(ms);
  if (size < 10) return `${ms.toFixed(2)} ms`;
  if (size < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(2)} s`;
}

/** `300 kbit/s`, `2.41 Mbit/s`. */
export function bitrate(kbps: number | null): string {
  if (kbps === null) return DASH;
  if (kbps < 1000) return `${Math.round(kbps)} kbit/s`;
  if (kbps < 1e6) return `${(kbps / 1000).toFixed(kbps < 1e4 ? 2 : 1)} Mbit/s`;
  return `${(kbps / 1e6).toFixed(2)} Gbit/s`;
}

/** `640 KB`, `81 MB`, `1.2 GB`. */
export function bytes(n: number): string {
  if (n < 1e6) return `${Math.round(n / 1000)} KB`;
  if (n < 1e9) return `${Math.round(n / 1e6)} MB`;
  return `${(n / 1e9).toFixed(1)} GB`;
}

/** `12.3 %` of a fraction. */
export function percent(fraction: number): string {
  return `${(fraction * 100).toFixed(fraction < 0.1 ? 1 : 0)} %`;
}
