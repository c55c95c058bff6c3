/** What the server tells the page when it is loaded. */
import { Schema } from "effect"
import { WebSettings } from "../../protocol/http/admin/WebSettings.ts"

/** For Vite's development server, which puts nothing in. */
const development: WebSettings = {
  version: "dev",
  basePath: "",
  isAdmin: true,
  nsqlookupd: [],
  sampleInterval: 5000,
  graphite: { enabled: false, url: "", counterFormat: "", gaugeFormat: "", interval: 60, prefix: "" }
}

const given = document.querySelector<HTMLMetaElement>("meta[name=settings]")?.content ?? "__SETTINGS__"

export const settings: WebSettings = given === "__SETTINGS__"
  ? development
  : Schema.decodeSync(Schema.fromJsonString(WebSettings))(given)
