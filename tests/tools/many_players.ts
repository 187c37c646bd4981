/**
 * Several streams with several players each.
 * @module
 */
import { media } from "./media.ts";
import { sleep } from "./process.ts";
import { assertPlayed, scenario } from "./scenario.ts";

const STREAMS = 5;
const PLAYERS_PER_STREAM = 4;

/** Seconds that a player on a busy machine may spend on starting. */
const START_S = 5;

/** A test in which each player plays for so long. */
export function manyPlayers(seconds: number): void {
  scenario(
    `20 players of 5 streams get ${seconds} s of their own stream, every byte`,
    async (s) => {
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
      await sleep(seconds * 1000);
      await Promise.all(players.map(async ({ clip, player }) => {
        const played = await player.stop();
        // The streams have other packets each, so this also shows that none got into another.
        assertPlayed(`${player.process.label} of ${clip.name}`, played, clip, {
          seconds: seconds - START_S,
          loop: true,
          startsWithKeyframe: true,
        });
      }));
    },
    { limitMs: (seconds + 40) * 1000 },
  );
}
