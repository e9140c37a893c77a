/** Times of cron in the words of systemd. Pure. */

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

const WORDS: Readonly<Record<string, string>> = {
  "@hourly": "hourly",
  "@daily": "daily",
  "@midnight": "daily",
  "@weekly": "Sun *-*-* 00:00:00",
  "@monthly": "monthly",
  "@yearly": "yearly",
  "@annually": "yearly",
};

/** `30 2 * * 0` -> `Sun *-*-* 02:30:00`; null: not cron, or something systemd cannot say. */
export function calendar(cron: string): string | null {
  const text = cron.trim();
  if (text.startsWith("@")) return WORDS[text] ?? null;
  const fields = text.split(/\s+/);
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = fields;
  if (fields.length !== 5) return null;
  // Cron means "either", systemd "both".
  if (day !== "*" && weekday !== "*") return null;
  const time = [field(hour, 0, 23), field(minute, 0, 59)];
  const date = [field(month, 1, 12), field(day, 1, 31)];
  const days = weekday === "*" ? "" : weekdays(weekday);
  if (days === null || [...time, ...date].includes(null)) return null;
  return `${days}*-${date.join("-")} ${time.join(":")}:00`;
}

function field(text: string, low: number, high: number): string | null {
  if (text === "*") return "*";
  const parts = text.split(",").map((part) => {
    const [, from = "", to, step] = /^(\*|\d+)(?:-(\d+))?(?:\/(\d+))?$/.exec(part) ?? [];
    const numbers = [from, to].filter((n): n is string => n !== undefined && n !== "*").map(Number);
    if (from === "" || numbers.some((n) => n < low || n > high) || Number(step ?? 1) < 1) return null;
    if (from === "*" && to !== undefined) return null;
    const start = from === "*" ? String(low) : from;
    const range = to === undefined ? pad(start) : `${pad(start)}..${pad(to)}`;
    return step === undefined ? range : `${range}/${step}`;
  });
  return parts.includes(null) ? null : parts.join(",");
}

/** Every day by name: systemd's weeks start on Monday, so a range of cron's may go backwards in them. */
function weekdays(text: string): string | null {
  const days = text.split(",").map((part) => {
    const [, from, to = from] = /^([0-7])(?:-([0-7]))?$/.exec(part) ?? [];
    if (from === undefined || to === undefined || Number(to) < Number(from)) return null;
    return Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => DAYS[(Number(from) + i) % 7]);
  });
  return days.includes(null) ? null : `${[...new Set(days.flat())].join(",")} `;
}

const pad = (n: string): string => n.padStart(2, "0");
