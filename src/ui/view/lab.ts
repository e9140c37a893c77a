/** The lab always says that it is one. Pure. */
import { type Line, line, warn } from "./line.ts";

const LAB_NOTICE = "LAB: simulated or throw-away hosts, nothing real changes";

export function labLine(): Line {
  return line(warn(LAB_NOTICE));
}
