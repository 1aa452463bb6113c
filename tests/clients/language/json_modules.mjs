// The package imports its schema without saying that it is JSON, as bundlers take it; node wants to be told.
import { register } from "node:module";

const hook = `export async function load(url, context, next) {
  return next(url, url.endsWith(".json") ? { ...context, importAttributes: { type: "json" } } : context);
}`;
register("data:text/javascript," + encodeURIComponent(hook));
