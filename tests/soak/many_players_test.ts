/**
 * Several streams with several players each, for a minute.
 * @module
 */
import { manyPlayers } from "../tools/many_players.ts";

manyPlayers(60);
