package trace

// Blank returns copies of a command and its response, of the same sizes, in which all
// that could be a secret is zero. They can be anything; what cannot be read is zero but
// for the header.
func Blank(cmd, rsp []byte) (blankCmd, blankRsp []byte) {
	c := readCommand(cmd)
	return c.blank(cmd), readResponse(c, rsp).blank(rsp)
}

func (m *message) blank(msg []byte) []byte {
	out := make([]byte, len(msg))
	keep := func(start, end int) { copy(out[start:end], msg[start:end]) }
	for _, s := range m.plain {
		keep(s.start, s.end)
	}
	for _, list := range [][]part{m.handles, m.params} {
		for _, p := range list {
			switch {
			case p.public:
				keep(p.start, p.end)
			case p.sized:
				keep(p.start, p.start+2)
			}
		}
	}
	return out
}
