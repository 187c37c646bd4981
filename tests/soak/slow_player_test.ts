/**
 * A player that stops reading costs nobody else anything, in half a minute.
 * @module
 */
import { slowPlayers } from "../tools/slow_players.ts";

slowPlayers(30);
