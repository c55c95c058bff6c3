import { assert, describe, it } from "@effect/vitest"
import { HttpError, HttpErrorReason } from "../../../src/services/http/HttpError.ts"

const failed = (reason: HttpErrorReason, method = "GET") =>
  new HttpError({ address: "web:4151", method, url: "http://web:4151/stats", reason })

describe("the error of an HTTP request", () => {
  it("each reason has a text of its own", () => {
    const texts: ReadonlyArray<readonly [HttpErrorReason, string]> = [
      [HttpErrorReason.InvalidUrl(), "not a valid URL"],
      [HttpErrorReason.AddressRefusal({ description: "web: not allowed" }), "web: not allowed"],
      [HttpErrorReason.ConnectionFailure({ description: "read ECONNRESET", code: "ECONNRESET" }), "read ECONNRESET"],
      [HttpErrorReason.Timeout(), "request timeout"],
      [
        HttpErrorReason.ResponseTooLarge({ description: "more than 1 byte", option: "--max" }),
        "more than 1 byte (--max)"
      ],
      [HttpErrorReason.RedirectRefusal({ status: 307 }), "got response 307 with a redirect to another host"],
      [HttpErrorReason.UnexpectedStatus({ status: 404, code: "TOPIC_NOT_FOUND" }), "got response 404"],
      [HttpErrorReason.InvalidResponse(), "invalid response"]
    ]
    assert.deepStrictEqual(texts.map(([reason]) => failed(reason).description), texts.map(([, text]) => text))
  })

  it("the message has method, URL and reason, or the status, its code and the server", () => {
    const { message } = failed(HttpErrorReason.Timeout(), "POST")
    assert.strictEqual(message, `Post "http://web:4151/stats": request timeout`)
    const status = (status: number, code: string) => failed(HttpErrorReason.UnexpectedStatus({ status, code })).message
    assert.strictEqual(status(404, "TOPIC_NOT_FOUND"), "got response 404 Not Found TOPIC_NOT_FOUND of web:4151")
    assert.strictEqual(status(500, ""), "got response 500 Internal Server Error of web:4151")
  })

  it("no message contains credentials", () => {
    const reason = HttpErrorReason.AddressRefusal({ description: "http://alice:hunter2@web: not allowed" })
    assert.notInclude(failed(reason).message, "hunter2")
    const unexpected = HttpErrorReason.UnexpectedStatus({ status: 500, code: "" })
    const error = new HttpError({ address: "alice:hunter2@web:1", method: "GET", url: "", reason: unexpected })
    assert.strictEqual(error.message, "got response 500 Internal Server Error of alice:***@web:1")
  })
})
