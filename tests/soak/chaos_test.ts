/**
 * An edge in bad weather, long enough for everything to happen to every connection.
 * @module
 */
import { badWeather } from "../tools/bad_weather.ts";

badWeather(60);
