export { default } from "../../vite.base.ts";
