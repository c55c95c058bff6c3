/** The client of nsqadmin's API for the pages: queries and mutations as atoms, with the types of `AdminApi`. */
import { Cause } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { AtomHttpApi } from "effect/reactivity"
import { AdminApi } from "../../protocol/http/admin/AdminApi.ts"
import { settings } from "./settings.ts"

/** The client. Its base URL is the page's origin and base path. */
export class AdminClient extends AtomHttpApi.Service<AdminClient>()("effect-nsq/web/AdminClient", {
  api: AdminApi,
  httpClient: FetchHttpClient.layer,
  baseUrl: `${location.origin}${settings.basePath}`,
  transformClient: HttpClient.mapRequest(
    HttpClientRequest.setHeader("x-useragent", `nsqadmin/v${settings.version}`)
  )
}) {}

/** Returns the message of an error for the user: the server's message, or that the server does not respond. */
export const messageOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  if (typeof error === "object" && error !== null && "_tag" in error && error._tag === "HttpClientError") {
    return "nsqadmin does not respond"
  }
  return typeof error === "object" && error !== null && "message" in error && typeof error.message === "string"
    ? error.message
    : String(error)
}
