/**
 * Several streams with several players each, for a minute.
 * @module
 */
import { media } from "../tools/media.ts";
import { assertPlayed, scenario } from "../tools/scenario.ts";
import { sleep } from "../tools/process.ts";

const STREAMS = 5;
const PLAYERS_PER_STREAM = 4;
const SECONDS = 60;

/** Seconds of the minute that a player on a busy machine may spend on starting. */
const START_S = 5;

scenario("20 players of 5 streams get a minute of their own stream, every byte", async (s) => {
  const server = await s.server({
    vhost: "min_latency on; tcp_nodelay on; play { gop_cache on; mw_latency 100; }",
  });
  const clips = await Promise.all(
    Array.from({ length: STREAMS }, (_, n) => media(`small-${n}`)),
  );
  for (const clip of clips) s.publish(clip, server.url(`live/${clip.name}`), { loop: true });
  await sleep(1000);
  const players = clips.flatMap((clip) =>
    Array.from({ length: PLAYERS_PER_STREAM }, () => ({
      clip,
      player: s.startPlayer(server.url(`live/${clip.name}`)),
    }))
  );
  await sleep(SECONDS * 1000);
  await Promise.all(players.map(async ({ clip, player }) => {
    const played = await player.stop();
    // The streams have other packets each, so this also shows that none got into another.
    assertPlayed(`${player.process.label} of ${clip.name}`, played, clip, {
      seconds: SECONDS - START_S,
      loop: true,
      startsWithKeyframe: true,
    });
  }));
}, { limitMs: (SECONDS + 40) * 1000 });
