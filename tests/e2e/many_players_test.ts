/**
 * Several streams with several players each. `deno task soak` has a minute of it.
 * @module
 */
import { manyPlayers } from "../tools/many_players.ts";

manyPlayers(12);
