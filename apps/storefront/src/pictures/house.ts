import type { Drawing } from "./ink.ts";

/** Garden, weaving and desk. */
export const house: Readonly<Record<string, Drawing>> = {
  seeds: ({ fill, dark, light, trim }, variant) => `<path d="M30 24h60v72q0 8-8 8H38q-8 0-8-8z" fill="${fill}"/><path d="M30 24h60v12H30z" fill="${trim}"/><circle cx="60" cy="68" r="24" fill="#fbf6ea"/>${[
    `<path d="M60 88V66" stroke="#5d8a46" stroke-width="3"/><g fill="${dark}"><circle cx="60" cy="52" r="5"/><circle cx="69" cy="58" r="5"/><circle cx="66" cy="68" r="5"/><circle cx="54" cy="68" r="5"/><circle cx="51" cy="58" r="5"/></g><circle cx="60" cy="61" r="5" fill="#f3c34a"/>`,
    `<path d="M60 90V50" stroke="#5d8a46" stroke-width="3"/><g fill="#5d8a46"><ellipse cx="51" cy="60" rx="9" ry="5" transform="rotate(28 51 60)"/><ellipse cx="69" cy="60" rx="9" ry="5" transform="rotate(-28 69 60)"/><ellipse cx="52" cy="75" rx="8" ry="4.500" transform="rotate(28 52 75)"/><ellipse cx="68" cy="75" rx="8" ry="4.500" transform="rotate(-28 68 75)"/><ellipse cx="60" cy="50" rx="5" ry="7"/></g>`,
    `<path d="M60 90q-14-16-12-28h24q2 12-12 28z" fill="#e5803a"/><path d="M52 72h8M58 80h7" stroke="#c4612a" stroke-width="2"/><path d="M60 62q-10-8-8-14M60 62V46M60 62q10-8 8-14" fill="none" stroke="#5d8a46" stroke-width="3"/>`,
  ][variant]!}<path d="M38 42h20" stroke="${light}" stroke-width="4"/>`,
  pot: ({ fill, dark, light, trim }, variant) => {
    const leaves = `<g fill="#5d8a46"><path d="M60 52Q34 48 34 22q26 2 26 30zM60 52q26-4 26-30-26 2-26 30z"/><path d="M60 54q-10-22 0-42 10 20 0 42z" fill="#79a65c"/></g>`;
    return [
      `${leaves}<path d="M30 60h60l-8 44H38z" fill="${fill}"/><path d="M26 52h68v14H26z" fill="${dark}"/><path d="M26 66h68" stroke="${trim}" stroke-width="3"/>`,
      `<path d="M60 8 28 58M60 8l32 50" stroke="${trim}" stroke-width="3"/><g fill="none" stroke="#5d8a46" stroke-width="5" stroke-linecap="round"><path d="M40 60q-18 8-16 34M80 60q18 8 16 36M52 58q-8-14-16-12M68 58q8-14 16-12M60 58V42"/></g><path d="M26 58h68q-4 34-34 34T26 58z" fill="${fill}"/><path d="M26 58h68" stroke="${light}" stroke-width="5"/>`,
      `${leaves}<path d="M28 54h64q0 40-32 40T28 54z" fill="${fill}"/><path d="M42 88l-8 16M78 88l8 16M60 92v12" stroke="${trim}" stroke-width="6" stroke-linecap="round"/><path d="M26 54h68" stroke="${dark}" stroke-width="6" stroke-linecap="round"/>`,
    ][variant]!;
  },
  trowel: ({ fill, dark, light, trim }, variant) => `<g transform="rotate(38 60 60)"><rect x="52" y="2" width="16" height="44" rx="8" fill="${fill}"/><path d="M57 46h6v16h-6z" fill="${trim}"/>${[
    `<path d="M42 64q18-8 36 0v22q-4 22-18 30-14-8-18-30z" fill="#b8c0ca"/><path d="M60 66v44" stroke="#98a1ad" stroke-width="3"/>`,
    `<path d="M50 64q10-6 20 0v32q-2 16-10 22-8-6-10-22z" fill="#b8c0ca"/><path d="M54 76h12M54 86h12M54 96h12" stroke="#7d8794" stroke-width="2"/>`,
    `<path d="M52 62h16v30l8 24-16-14-16 14 8-24z" fill="#b8c0ca"/>`,
  ][variant]!}<path d="M52 38h16" stroke="${dark}" stroke-width="4"/><circle cx="60" cy="10" r="3" fill="${light}"/></g>`,
  "watering-can": ({ fill, dark, light, trim }, variant) => [
    `<path d="M36 92 4 40l6-4 34 40z" fill="${dark}"/><path d="M36 60h52l4 36q0 8-8 8H40q-8 0-8-8z" fill="${fill}"/><path d="M46 60q6-34 30-30t24 52" fill="none" stroke="${trim}" stroke-width="6"/><path d="M36 60h52" stroke="${light}" stroke-width="5"/>`,
    `<path d="M44 86C24 84 30 50 10 34" fill="none" stroke="${dark}" stroke-width="5" stroke-linecap="round"/><circle cx="66" cy="76" r="28" fill="${fill}"/><path d="M54 48h24v8H54z" fill="${light}"/><path d="M84 54q26 6 8 42" fill="none" stroke="${trim}" stroke-width="6" stroke-linecap="round"/>`,
    `<path d="M40 94 14 54l8-6 26 32z" fill="${dark}"/><path d="M4 54 26 38l4 6L10 62z" fill="${trim}"/><rect x="38" y="50" width="56" height="54" rx="6" fill="${fill}"/><path d="M48 50q0-22 18-22t18 22M94 60q18 2 14 20T94 94" fill="none" stroke="${trim}" stroke-width="6"/><path d="M38 62h56" stroke="${light}" stroke-width="3"/>`,
  ][variant]!,
  loom: ({ fill, dark, light, trim }, variant) => {
    const warp = (left: number, right: number, top: number, bottom: number) => Array.from({ length: 9 }, (_, i) => `M${left + (i * (right - left)) / 8} ${top}V${bottom}`).join("");
    return [
      `<path d="${warp(34, 86, 24, 96)}" stroke="#e9dfcc" stroke-width="2"/><path d="M32 58h56v38H32z" fill="${fill}"/><path d="M24 18h72v86H24z" fill="none" stroke="${trim}" stroke-width="8" stroke-linejoin="round"/><path d="M30 56h70" stroke="${dark}" stroke-width="4" stroke-linecap="round"/>`,
      `<path d="${warp(34, 86, 30, 92)}" stroke="#e9dfcc" stroke-width="2"/><path d="M32 70h56v24H32z" fill="${fill}"/><path d="M22 24v80M98 24v80" stroke="${trim}" stroke-width="8" stroke-linecap="round"/><path d="M18 26h84M18 96h84" stroke="${dark}" stroke-width="8" stroke-linecap="round"/><path d="M20 52h80v10H20z" fill="${light}"/>`,
      `<path d="${warp(30, 90, 48, 88)}" stroke="#e9dfcc" stroke-width="2"/><path d="M28 66h64l8 24H20z" fill="${fill}"/><path d="M30 14h60v36H30z" fill="none" stroke="${trim}" stroke-width="6"/><path d="M34 28h52M34 38h52" stroke="${dark}" stroke-width="4"/><path d="M14 90h92v8H14z" fill="${trim}"/><path d="M24 98v6M96 98v6" stroke="${dark}" stroke-width="7"/>`,
    ][variant]!;
  },
  yarn: ({ fill, dark, light, trim }, variant) => [
    `<circle cx="56" cy="66" r="38" fill="${fill}"/><g fill="none" stroke="${dark}" stroke-width="3" opacity=".6"><path d="M22 52q34-14 66 22M26 40q40-10 66 28M20 68q30-14 54 30M30 92q10-44 52-50M44 102q6-44 46-48"/></g><path d="M84 92q14 16 30 8" fill="none" stroke="${dark}" stroke-width="3"/><circle cx="42" cy="50" r="6" fill="${light}" opacity=".6"/><path d="M52 60h14v12H52z" fill="${trim}"/>`,
    `<path d="M26 40q34-18 68 0v48q-34 18-68 0z" fill="${fill}"/><g fill="none" stroke="${dark}" stroke-width="2.500" opacity=".55"><path d="M26 52q34 18 68-8M26 66q34 18 68-8M26 80q34 18 68-8"/></g><path d="M26 56h68v20H26z" fill="#fbf6ea"/><path d="M34 66h40" stroke="${trim}" stroke-width="5"/>`,
    `<path d="M44 16h32l-6 20v40l6 28H44l6-28V36z" fill="${trim}"/><path d="M32 40q28-12 56 0v36q-28 12-56 0z" fill="${fill}"/><g fill="none" stroke="${dark}" stroke-width="2.500" opacity=".55"><path d="M32 48q28 10 56 0M32 58q28 10 56 0M32 68q28 10 56 0"/></g><path d="M88 70q16 10 22 30" fill="none" stroke="${light}" stroke-width="3"/>`,
  ][variant]!,
  needles: ({ fill, dark, light, trim }, variant) => [
    `<path d="M26 100 84 22M94 100 36 22" stroke="${trim}" stroke-width="5" stroke-linecap="round"/><circle cx="86" cy="20" r="7" fill="${dark}"/><circle cx="34" cy="20" r="7" fill="${dark}"/><path d="M34 66h52l6 38H28z" fill="${fill}"/><path d="M34 66l6 6 6-6 6 6 6-6 6 6 6-6 6 6 6-6 4 6" fill="none" stroke="${light}" stroke-width="3"/>`,
    `<path d="M30 50C4 90 40 108 60 100s56 2 30-50" fill="none" stroke="${dark}" stroke-width="4"/><path d="M30 50 50 18M90 50 70 18" stroke="${trim}" stroke-width="7" stroke-linecap="round"/><circle cx="60" cy="74" r="18" fill="${fill}"/><circle cx="60" cy="74" r="8" fill="${light}"/>`,
    `<g stroke="${trim}" stroke-width="5" stroke-linecap="round"><path d="M24 30v68M38 24v74M52 20v78"/></g><path d="M62 26h26v34q0 6 8 10 14 6 12 18-2 14-22 10-24-4-24-24z" fill="${fill}"/><path d="M60 24h30v12H60z" fill="${light}"/><path d="M70 78q10 8 20-6" fill="none" stroke="${dark}" stroke-width="3"/>`,
  ][variant]!,
  basket: ({ fill, dark, light, trim }, variant) => {
    const weave = `<g stroke="${dark}" stroke-width="2" opacity=".5"><path d="M22 70h76M24 82h72M27 94h66M36 58v46M48 58v46M60 58v46M72 58v46M84 58v46"/></g>`;
    return [
      `<circle cx="46" cy="48" r="17" fill="${light}"/><path d="M34 42q14-4 26 10M36 54q10-12 22-12" stroke="${dark}" stroke-width="2" fill="none"/><circle cx="74" cy="50" r="14" fill="${trim}"/><path d="M18 58h84l-8 46H26z" fill="${fill}"/>${weave}`,
      `<path d="M28 60q0-46 32-46t32 46" fill="none" stroke="${trim}" stroke-width="7"/><path d="M18 58h84l-8 46H26z" fill="${fill}"/>${weave}<path d="M14 58h92" stroke="${dark}" stroke-width="7" stroke-linecap="round"/>`,
      `<path d="M16 58q44-10 88 0 4 46-18 46H34q-22 0-18-46z" fill="${fill}"/>${weave}<path d="M12 66q-6-18 10-18M108 66q6-18-10-18" fill="none" stroke="${trim}" stroke-width="6"/><path d="M16 58q44-10 88 0" fill="none" stroke="${light}" stroke-width="5"/>`,
    ][variant]!;
  },
  lamp: ({ fill, dark, light, trim }, variant) => [
    `<path d="M44 100 34 62 66 34" fill="none" stroke="${trim}" stroke-width="5" stroke-linejoin="round"/><circle cx="34" cy="62" r="5" fill="${dark}"/><path d="M58 36 78 18l28 30q-20 14-48-12z" fill="${fill}"/><path d="M74 48l-8 48h44V48z" fill="#ffe9a8" opacity=".35"/><circle cx="86" cy="46" r="8" fill="#ffd667"/><path d="M22 98h46v6H22z" fill="${dark}"/>`,
    `<circle cx="60" cy="50" r="34" fill="${fill}" opacity=".85"/><circle cx="60" cy="50" r="22" fill="#ffe9a8"/><circle cx="50" cy="40" r="6" fill="#fff" opacity=".8"/><path d="M46 80h28l6 24H40z" fill="${trim}"/><path d="M46 80h28" stroke="${dark}" stroke-width="4"/>`,
    `<path d="M20 52q0-24 24-24h32q24 0 24 24z" fill="${fill}"/><path d="M28 52h64l10 30H18z" fill="#ffe9a8" opacity=".4"/><path d="M60 52v44" stroke="${trim}" stroke-width="7"/><path d="M20 52h80" stroke="${light}" stroke-width="4"/><path d="M36 96h48v8H36z" fill="${trim}"/><path d="M78 54v18" stroke="${dark}" stroke-width="2"/><circle cx="78" cy="74" r="3" fill="${dark}"/>`,
  ][variant]!,
  notebook: ({ fill, dark, light, trim }, variant) => `<path d="M34 18h56q6 0 6 6v74q0 6-6 6H34z" fill="#f6efe2"/><path d="M28 16h58q6 0 6 6v74q0 6-6 6H28z" fill="${fill}"/><path d="M28 16h14v86H28z" fill="${dark}"/>${[
    `<path d="M50 34h32v20H50z" fill="#fbf6ea"/><path d="M54 40h24M54 46h18" stroke="${dark}" stroke-width="2"/><path d="M84 16v86" stroke="${trim}" stroke-width="4"/>`,
    `<path d="M84 16v86" stroke="${trim}" stroke-width="4"/><g fill="${light}"><circle cx="54" cy="40" r="3"/><circle cx="66" cy="40" r="3"/><circle cx="54" cy="52" r="3"/><circle cx="66" cy="52" r="3"/></g><path d="M58 102v12l5-5 5 5v-12z" fill="${trim}"/>`,
    `<path d="M50 84l14-22 10 12 6-8 8 18z" fill="${light}"/><circle cx="76" cy="44" r="7" fill="${trim}"/><g fill="none" stroke="${trim}" stroke-width="3"><path d="M22 30h12M22 48h12M22 66h12M22 84h12"/></g>`,
  ][variant]!}`,
  pen: ({ fill, dark, light, trim }, variant) => `<g transform="rotate(42 60 60)">${[
    `<path d="M50 10q10-8 20 0v68H50z" fill="${fill}"/><path d="M50 78h20v8H50z" fill="${trim}"/><path d="M52 86h16l-8 28z" fill="${trim}"/><path d="M60 92v18" stroke="${dark}" stroke-width="1.500"/><path d="M70 14h5v34h-5z" fill="${trim}"/>`,
    `<path d="M56 0h8v10h-8z" fill="${trim}"/><path d="M50 10h20v78l-10 26-10-26z" fill="${fill}"/><path d="M50 54h20" stroke="${light}" stroke-width="5"/><path d="M54 98h12l-6 16z" fill="${trim}"/><path d="M70 14h4v28h-4z" fill="${dark}"/>`,
    `<rect x="50" y="2" width="20" height="80" rx="8" fill="${fill}"/><path d="M50 66h20" stroke="${trim}" stroke-width="6"/><path d="M52 82h16q4 16-8 34-12-18-8-34z" fill="#2b2f38"/><path d="M56 10v40" stroke="${light}" stroke-width="3" stroke-linecap="round"/>`,
  ][variant]!}</g>`,
  clock: ({ fill, dark, light, trim }, variant) => {
    const face = (y: number, radius: number) => `<circle cx="60" cy="${y}" r="${radius}" fill="#fbf6ea"/><path d="M60 ${y}V${y - radius * 0.65}M60 ${y}l${radius * 0.45} ${radius * 0.3}" stroke="${dark}" stroke-width="4" stroke-linecap="round"/><circle cx="60" cy="${y}" r="3" fill="${trim}"/>`;
    return [
      `<path d="M24 104V58a36 36 0 0 1 72 0v46z" fill="${fill}"/>${face(62, 25)}<path d="M18 98h84v6H18z" fill="${trim}"/>`,
      `<path d="M34 34a16 16 0 0 1 22-10M64 24a16 16 0 0 1 22 10" fill="none" stroke="${trim}" stroke-width="9" stroke-linecap="round"/><path d="M36 94l-8 10M84 94l8 10" stroke="${dark}" stroke-width="6" stroke-linecap="round"/><circle cx="60" cy="66" r="36" fill="${fill}"/>${face(66, 26)}`,
      `<circle cx="60" cy="60" r="46" fill="${fill}"/><circle cx="60" cy="60" r="46" fill="none" stroke="${trim}" stroke-width="4"/>${face(60, 34)}<path d="M60 30v5M60 85v5M30 60h5M85 60h5" stroke="${light}" stroke-width="3"/>`,
    ][variant]!;
  },
};
