import type { Drawing } from "./ink.ts";

/** Coffee and baking. */
export const kitchen: Readonly<Record<string, Drawing>> = {
  grinder: ({ fill, dark, light, trim }, variant) => [
    `<path d="M60 22h34v4M94 22v10" fill="none" stroke="${trim}" stroke-width="5" stroke-linecap="round"/><circle cx="94" cy="36" r="6" fill="${dark}"/><path d="M44 30h32l4 12H40z" fill="${dark}"/><rect x="42" y="42" width="36" height="36" rx="4" fill="${fill}"/><path d="M40 78h40v18q0 8-8 8H48q-8 0-8-8z" fill="${light}"/><path d="M40 78h40" stroke="${trim}" stroke-width="4"/>`,
    `<path d="M60 20h32" stroke="${trim}" stroke-width="5" stroke-linecap="round"/><circle cx="92" cy="24" r="6" fill="${dark}"/><path d="M60 20v24" stroke="${trim}" stroke-width="5"/><path d="M36 60q0-20 24-20t24 20z" fill="${trim}"/><rect x="28" y="60" width="64" height="44" rx="5" fill="${fill}"/><rect x="38" y="76" width="44" height="20" rx="3" fill="${dark}" opacity=".75"/><circle cx="60" cy="86" r="4" fill="${trim}"/>`,
    `<path d="M60 30h22" stroke="${trim}" stroke-width="5" stroke-linecap="round"/><circle cx="84" cy="34" r="5" fill="${dark}"/><rect x="46" y="34" width="28" height="64" rx="6" fill="${fill}"/><path d="M46 66h28" stroke="${dark}" stroke-width="4"/><path d="M44 96h32v8H44z" fill="${trim}"/><path d="M52 42v16" stroke="${light}" stroke-width="4" stroke-linecap="round"/>`,
  ][variant]!,
  dripper: ({ fill, dark, light, trim }, variant) => `${[
    `<path d="M24 22h72L70 66H50z" fill="${fill}"/><path d="M38 24 54 64M60 24v40M82 24 66 64" stroke="${dark}" stroke-width="2" opacity=".45"/>`,
    `<path d="M28 26h64L82 66H38z" fill="${fill}"/><path d="M30 34h60" stroke="${light}" stroke-width="4"/>`,
    `<path d="M34 34h52L72 66H48z" fill="${fill}"/><path d="M86 38q14 4 4 16" fill="none" stroke="${dark}" stroke-width="5"/>`,
  ][variant]!}<rect x="34" y="64" width="52" height="6" rx="3" fill="${trim}"/><path d="M42 72h36l4 24q0 8-8 8H46q-8 0-8-8z" fill="#dfeaf0" opacity=".85"/><path d="M40 86h40l2 10q0 8-8 8H46q-8 0-8-8z" fill="#6b4226"/><path d="M60 70v14" stroke="#6b4226" stroke-width="2" stroke-dasharray="3 3"/>`,
  kettle: ({ fill, dark, light, trim }, variant) => [
    `<path d="M38 90C20 88 26 56 14 44" fill="none" stroke="${dark}" stroke-width="6" stroke-linecap="round"/><path d="M44 56h36l8 40q0 8-8 8H44q-8 0-8-8z" fill="${fill}"/><path d="M46 48h32v8H46z" fill="${dark}"/><path d="M80 60q22-14 22 8t-14 24" fill="none" stroke="${trim}" stroke-width="7" stroke-linecap="round"/><circle cx="62" cy="44" r="5" fill="${trim}"/>`,
    `<path d="M28 70 12 56l8-4 18 10z" fill="${dark}"/><path d="M24 96q0-42 38-42t38 42q0 8-8 8H32q-8 0-8-8z" fill="${fill}"/><path d="M32 62q4-40 30-40t30 40" fill="none" stroke="${trim}" stroke-width="6"/><circle cx="62" cy="50" r="6" fill="${dark}"/><path d="M36 92q0-24 16-30" fill="none" stroke="${light}" stroke-width="4" stroke-linecap="round"/>`,
    `<path d="M32 84Q18 80 16 52l8-2q4 14 14 18z" fill="${dark}"/><path d="M32 50h56v46q0 8-8 8H40q-8 0-8-8z" fill="${fill}"/><path d="M36 50q0-14 24-14t24 14z" fill="${light}"/><circle cx="60" cy="32" r="5" fill="${trim}"/><path d="M88 56q20 0 18 18T88 92" fill="none" stroke="${trim}" stroke-width="6"/>`,
  ][variant]!,
  mug: ({ fill, dark, light, trim }, variant) => `<path d="M48 ${[34, 34, 14][variant]}q-6-7 0-14M62 ${[34, 34, 14][variant]}q-6-7 0-14" fill="none" stroke="#b9c1cc" stroke-width="3" stroke-linecap="round"/>${[
    `<path d="M78 56q24-2 22 18T76 94" fill="none" stroke="${dark}" stroke-width="8"/><path d="M28 44h56v36q0 24-18 24H46q-18 0-18-24z" fill="${fill}"/><ellipse cx="56" cy="44" rx="28" ry="6" fill="#6b4226"/><path d="M34 96q6 8 14 8h16q10 0 14-8z" fill="${trim}"/>`,
    `<path d="M80 56q20 0 20 15T80 88" fill="none" stroke="${dark}" stroke-width="6"/><path d="M28 44h54v52q0 8-8 8H36q-8 0-8-8z" fill="${fill}"/><path d="M25 44h60" stroke="${trim}" stroke-width="6" stroke-linecap="round"/><path d="M36 56v32" stroke="${light}" stroke-width="4" stroke-linecap="round"/>`,
    `<path d="M76 46q22-2 22 22T76 90" fill="none" stroke="${dark}" stroke-width="7"/><path d="M34 26h46l-4 72q0 6-6 6H44q-6 0-6-6z" fill="${fill}"/><ellipse cx="57" cy="26" rx="23" ry="5" fill="#6b4226"/><path d="M37 86h40" stroke="${trim}" stroke-width="5"/>`,
  ][variant]!}`,
  bowl: ({ fill, dark, light, trim }, variant) => [
    `<path d="M14 48h92c0 36-18 56-30 56H44C32 104 14 84 14 48z" fill="${fill}"/><ellipse cx="60" cy="48" rx="46" ry="11" fill="${light}"/><ellipse cx="60" cy="51" rx="36" ry="7" fill="#f6efe2"/><path d="M42 100h36v5H42z" fill="${trim}"/>`,
    `<path d="M18 50h84l12-6q-2 12-12 16c-2 26-18 44-26 44H44C34 104 18 84 18 50z" fill="${fill}"/><ellipse cx="60" cy="50" rx="42" ry="9" fill="${dark}"/><path d="M28 66q4 20 14 28" fill="none" stroke="${light}" stroke-width="4" stroke-linecap="round"/><path d="M42 100h36v5H42z" fill="${trim}"/>`,
    `<path d="M28 58q2-28 32-28t32 28z" fill="#f2e4c9"/><path d="M46 44q6-6 12-4M66 40q8 2 10 8" stroke="#d8c39a" stroke-width="3" fill="none"/><path d="M10 58h100q-4 46-30 46H40Q14 104 10 58z" fill="${fill}"/><path d="M10 58h100" stroke="${trim}" stroke-width="5" stroke-linecap="round"/>`,
  ][variant]!,
  whisk: ({ fill, dark, trim }, variant) => `<g transform="rotate(28 60 60)">${[
    `<g fill="none" stroke="${dark}" stroke-width="3"><path d="M60 62C20 40 34 4 60 4s40 36 0 58"/><path d="M60 62C42 40 46 4 60 4s18 36 0 58"/><path d="M60 4v58"/></g>`,
    `<g fill="none" stroke="${dark}" stroke-width="3"><path d="M48 62 42 12q0-8 8-8h20q8 0 8 8l-6 50"/><path d="M54 62 52 14h16l-2 48M60 62V14"/></g>`,
    `<g fill="none" stroke="${dark}" stroke-width="3"><path d="M60 62V34"/><ellipse cx="60" cy="14" rx="24" ry="9"/><ellipse cx="60" cy="23" rx="21" ry="8"/><ellipse cx="60" cy="31" rx="17" ry="7"/></g>`,
  ][variant]!}<rect x="53" y="60" width="14" height="54" rx="7" fill="${fill}"/><path d="M52 60h16v10H52z" fill="${trim}"/><circle cx="60" cy="108" r="2.5" fill="#fff"/></g>`,
  "rolling-pin": ({ fill, dark, light, trim }, variant) => `<g transform="rotate(-32 60 66)">${[
    `<path d="M2 66q20-16 58-16t58 16q-20 16-58 16T2 66z" fill="${fill}"/><path d="M24 58q36-8 72 0" fill="none" stroke="${light}" stroke-width="4"/><circle cx="8" cy="66" r="4" fill="${trim}"/><circle cx="112" cy="66" r="4" fill="${trim}"/>`,
    `<rect x="0" y="59" width="120" height="14" rx="7" fill="${trim}"/><rect x="22" y="48" width="76" height="36" rx="9" fill="${fill}"/><path d="M30 56h60" stroke="${light}" stroke-width="4" stroke-linecap="round"/>`,
    `<rect x="16" y="55" width="88" height="20" rx="10" fill="${fill}"/><path d="M28 55v20M92 55v20" stroke="${trim}" stroke-width="4"/>`,
  ][variant]!}</g>${variant === 2 ? `<circle cx="84" cy="92" r="14" fill="#f2e4c9"/><circle cx="84" cy="92" r="14" fill="none" stroke="${dark}" opacity=".25"/>` : ""}`,
  apron: ({ fill, dark, light, trim }, variant) => [
    `<path d="M44 22 76 60M76 22 44 60" stroke="${dark}" stroke-width="5"/><path d="M42 36h36l4 22 18 12v34H20V70l18-12z" fill="${fill}"/><rect x="42" y="72" width="36" height="20" rx="3" fill="${light}" opacity=".8"/><path d="M42 72h36" stroke="${trim}" stroke-width="4"/>`,
    `<path d="M46 34a14 16 0 0 1 28 0" fill="none" stroke="${trim}" stroke-width="4"/><path d="M44 32h32q2 22 22 26v46H22V58q20-4 22-26z" fill="${fill}"/><path d="M36 74h20v18H36zM64 74h20v18H64z" fill="${dark}" opacity=".55"/><path d="M22 60H8M98 60h14" stroke="${trim}" stroke-width="4"/>`,
    `<path d="M10 46h100" stroke="${trim}" stroke-width="6" stroke-linecap="round"/><path d="M26 46h68l8 58H18z" fill="${fill}"/><rect x="44" y="60" width="32" height="24" rx="4" fill="${dark}" opacity=".5"/><path d="M60 60v24" stroke="${light}" stroke-width="2"/>`,
  ][variant]!,
};
