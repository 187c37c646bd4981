/**
 * A player that stops reading costs nobody else anything. `deno task soak` has half a minute of it.
 * @module
 */
import { slowPlayers } from "../tools/slow_players.ts";

slowPlayers(15);
