import * as Format from "../core/format.ts"

/** A search field for a list of topics, with the number of matching names. */
export const Filter = ({ all, onChange, shown, value }: {
  readonly value: string
  readonly onChange: (value: string) => void
  readonly shown: number
  readonly all: number
}) => (
  <label className="filter">
    Filter topics and channels <input type="search" value={value} onChange={({ target }) => onChange(target.value)} />
    <span role="status">{Format.count(shown)} of {Format.quantity(all, "topic")}</span>
  </label>
)
