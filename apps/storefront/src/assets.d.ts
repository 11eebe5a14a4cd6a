declare module "*.css";
/** Vite's: whether this is the built page. */
interface ImportMeta {
  readonly env: { readonly PROD: boolean };
}
