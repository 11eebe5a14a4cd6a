/** 0.8735 as "87.4 %". */
export function percent(share: number): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : "–";
}

export function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** "1 row", "2 rows". */
export function countOf(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Seconds as "0:07", "12:30" or "1:02:03". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const twoDigits = (value: number): string => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${twoDigits(minutes)}:${twoDigits(rest)}` : `${minutes}:${twoDigits(rest)}`;
}

export function megabytes(bytes: number): string {
  return `${Math.max(1, Math.round(bytes / 1e6)).toLocaleString("en")} MB`;
}

/** "350 B", "466 kB", "90.3 MB". */
export function fileSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 999_500 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** 1,234,567 as "1.2 M". */
export function millions(value: number): string {
  return value < 100_000 ? count(value) : `${(value / 1e6).toFixed(1)} M`;
}

/** "0.031 ms", "4.37 ms", "128 ms". */
export function milliseconds(value: number): string {
  return `${value.toFixed(value < 1 ? 3 : value < 100 ? 2 : 0)} ms`;
}

/** The names one after another, no more than `limit` of them. */
export function someOf(names: readonly string[], limit: number): string {
  return names.slice(0, limit).join(", ") + (names.length > limit ? ` and ${names.length - limit} more` : "");
}

/** Text on one line, cut to a number of characters. Line ends and tabs become spaces. */
export function oneLine(text: string, limit = Infinity): string {
  const flat = text.replace(/\s+/gu, " ").trim();
  const characters = [...flat];
  return characters.length <= limit ? flat : `${characters.slice(0, limit - 1).join("")}…`;
}

/** A word as a shell takes it. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
