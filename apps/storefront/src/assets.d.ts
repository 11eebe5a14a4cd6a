declare module "*.css";
/** Vite's: "production" in the built page. */
interface ImportMeta {
  readonly env: { readonly MODE: string };
}
