/**
 * The errors of requests that only effect-nsq's nsqd understands, as responses of nsqadmin: a refusal of the nsqd has its code, and an
 * nsqd of NSQ is named as such.
 */
import { BadRequest, NotFound, UpstreamError } from "../../protocol/http/admin/AdminFailure.ts"
import type { HttpError } from "../http/HttpError.ts"

/** The code for an nsqd that does not have the endpoint. */
const notSupported = "NOT_SUPPORTED: NSQ's nsqd does not have this feature"

const isMissing = (status: number, code: string): boolean =>
  (status === 404 || status === 405) && (code === "" || code === "NOT_FOUND" || code === "METHOD_NOT_ALLOWED")

/** Returns the code of a refusal with its detail; the text of the error if the request failed otherwise. */
export const textOf = (error: HttpError): string => {
  const { reason } = error
  if (reason._tag !== "UnexpectedStatus") return error.message
  const { code, detail = "", status } = reason
  if (isMissing(status, code)) return notSupported
  if (code === "") return error.message
  return detail === "" ? code : `${code}: ${detail}`
}

/** Returns the response to a request that this error ended. */
export const failureOf = (error: HttpError): BadRequest | NotFound | UpstreamError => {
  const message = textOf(error)
  const { reason } = error
  if (reason._tag !== "UnexpectedStatus" || message === error.message || reason.status >= 500) {
    return UpstreamError.make({ message: `UPSTREAM_ERROR: ${error.message}` })
  }
  return reason.status === 404 && message !== notSupported
    ? NotFound.make({ message })
    : BadRequest.make({ message })
}
