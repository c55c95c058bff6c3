/** The settings that the server writes into the page. */
import { Schema } from "effect"
import { WebSettings } from "../../protocol/http/admin/WebSettings.ts"

/** The settings under Vite's development server, which does not write any. */
const development: WebSettings = {
  version: "dev",
  basePath: "",
  cluster: "",
  clusters: [],
  isAdmin: true,
  nsqlookupd: [],
  sampleInterval: 5000,
  alertWebhooks: [],
  historySpan: 3_600_000,
  graphite: { enabled: false, url: "", counterFormat: "", gaugeFormat: "", interval: 60, prefix: "" }
}

const given = document.querySelector<HTMLMetaElement>("meta[name=settings]")?.content ?? "__SETTINGS__"

/** The settings of this page. */
export const settings: WebSettings = given === "__SETTINGS__"
  ? development
  : Schema.decodeSync(Schema.fromJsonString(WebSettings))(given)

/** Whether the user can create topics: an administrator, in a cluster with nsqlookupds. */
export const canCreateTopics = settings.isAdmin && settings.nsqlookupd.length > 0
