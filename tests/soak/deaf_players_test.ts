/**
 * H19: players that never read are closed after a minute.
 * @module
 */

import assert from "node:assert/strict";
import { PLAYER_STALL_MS } from "../../src/servers/rtmp/limits.ts";
import { DEAF_PLAYERS, deafPlayers } from "../tools/deaf_players.ts";
import { hostile } from "../tools/hostile.ts";
import { until } from "../tools/process.ts";

/** ms by which a deadline may be missed: the server looks once a second, and the machine is busy. */
const LATE_MS = 10_000;

/** What `round` is in the run that warms the server up; 1 in the other. */
const WARM_UP = -1;

hostile("H19: players that never read are closed after 60 s", async (h, round) => {
  const start = performance.now();
  const deaf = await deafPlayers(h);
  if (round === WARM_UP) return;
  await until("the end of them", PLAYER_STALL_MS + 2 * LATE_MS, () => {
    h.control.check("with deaf players");
    return deaf.every((player) => h.reason(player) !== null);
  });
  assert.ok(performance.now() - start > PLAYER_STALL_MS - 2000, "not before");
  for (const player of deaf) {
    assert.match(h.reason(player) ?? "", /the player has taken nothing for 60000 ms\. ret=1011/);
  }
  await until("nobody but the publisher", LATE_MS, async () => await h.edge.connections() === 3);
}, { ...DEAF_PLAYERS, warmUp: WARM_UP });
