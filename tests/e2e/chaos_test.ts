/**
 * An edge in bad weather, for as long as it takes to see some. `deno task soak` has a minute of it.
 * @module
 */
import { badWeather } from "../tools/bad_weather.ts";

badWeather(10);
