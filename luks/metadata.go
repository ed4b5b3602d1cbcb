package luks

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// How many objects of a kind a header can have (cryptsetup, lib/luks2/luks2.h,
// LUKS2_KEYSLOTS_MAX and LUKS2_TOKENS_MAX).
const (
	MaxKeyslots = 32
	MaxTokens   = 32
)

// Metadata is a header's JSON area, by the objects' numbers.
type Metadata struct {
	Keyslots map[int]Keyslot
	// Tokens are the tokens' texts as they stand in the header. [ParseToken] reads
	// one: so that a damaged token does not hide the others.
	Tokens   map[int]json.RawMessage
	Segments map[int]Segment
	Digests  map[int]Digest
	Config   Config
	// Length is the JSON text's, in bytes.
	Length int
}

// Keyslot is where the volume key rests, encrypted with a passphrase.
type Keyslot struct {
	Type    string `json:"type"`     // "luks2", "reencrypt"
	KeySize int    `json:"key_size"` // the volume key's size in bytes
	KDF     KDF    `json:"kdf"`
	Area    Area   `json:"area"`
}

// Area is where a keyslot's material lies. Offset and Size are bytes, in decimal.
type Area struct {
	Offset string `json:"offset"`
	Size   string `json:"size"`
}

// KDF says how a keyslot's passphrase becomes a key.
type KDF struct {
	Type       string `json:"type"` // "argon2id", "argon2i", "pbkdf2"
	Hash       string `json:"hash,omitempty"`
	Iterations int    `json:"iterations,omitempty"` // pbkdf2
	Time       int    `json:"time,omitempty"`       // argon2: passes
	Memory     int    `json:"memory,omitempty"`     // argon2: KiB
	CPUs       int    `json:"cpus,omitempty"`       // argon2: lanes
}

// Segment is a part of the device that holds data.
type Segment struct {
	Type       string `json:"type"`   // "crypt"
	Offset     string `json:"offset"` // bytes, decimal
	Size       string `json:"size"`   // bytes, decimal, or "dynamic"
	Encryption string `json:"encryption"`
	SectorSize int    `json:"sector_size"` // bytes
}

// Digest is what a volume key is checked against.
type Digest struct {
	Type       string   `json:"type"`
	Hash       string   `json:"hash"`
	Iterations int      `json:"iterations"`
	Keyslots   []string `json:"keyslots"`
	Segments   []string `json:"segments"`
}

// Config is the header's own. Sizes are bytes, in decimal.
type Config struct {
	JSONSize     string   `json:"json_size"`
	KeyslotsSize string   `json:"keyslots_size"`
	Flags        []string `json:"flags"`
	// Requirements are what a program must know to touch the volume: "online-reencrypt-v2"
	// while it is being encrypted anew, when cryptsetup refuses most changes.
	Requirements Requirements `json:"requirements"`
}

// Requirements lists features by name.
type Requirements struct {
	Mandatory []string `json:"mandatory"`
}

// ParseMetadata reads a header's JSON text, as it stands in the header and as
// `cryptsetup luksDump --dump-json-metadata` prints it.
func ParseMetadata(text []byte) (*Metadata, error) {
	o, err := parseObject(text)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	m := &Metadata{Length: len(text)}
	m.Keyslots = section[Keyslot](o, "keyslots")
	m.Tokens = section[json.RawMessage](o, "tokens")
	m.Segments = section[Segment](o, "segments")
	m.Digests = section[Digest](o, "digests")
	if raw := o.must("config"); raw != nil {
		o.fail("config", json.Unmarshal(raw, &m.Config))
	}
	if o.err != nil {
		return nil, fmt.Errorf("metadata: %w", o.err)
	}
	return m, nil
}

// section reads an object whose members are named by numbers.
func section[T any](o *object, name string) map[int]T {
	raw := o.must(name)
	if raw == nil {
		return nil
	}
	members, err := parseObject(raw)
	if err != nil {
		o.fail(name, err)
		return nil
	}
	all := make(map[int]T, min(len(members.fields), MaxTokens))
	for _, f := range members.fields {
		id, err := parseID(f.Name)
		if err != nil {
			o.fail(name, err)
			return nil
		}
		var v T
		if err := json.Unmarshal(f.Value, &v); err != nil {
			o.fail(name, fmt.Errorf("%d: %w", id, err))
			return nil
		}
		all[id] = v
	}
	return all
}

// TokenIDs returns the tokens' numbers in ascending order, which is the order in
// which cryptsetup tries them.
func (m *Metadata) TokenIDs() []int { return slices.Sorted(maps.Keys(m.Tokens)) }

// ErrFull is returned where no number is free, or no byte.
var ErrFull = errors.New("the header is full")

// FreeToken returns the lowest number that no token has.
func (m *Metadata) FreeToken() (int, error) { return free(m.Tokens, MaxTokens, "tokens") }

// FreeKeyslot returns the lowest number that no keyslot has. There may be no room
// for its key material all the same; cryptsetup says so.
func (m *Metadata) FreeKeyslot() (int, error) { return free(m.Keyslots, MaxKeyslots, "keyslots") }

func free[T any](used map[int]T, limit int, what string) (int, error) {
	for id := range limit {
		if _, ok := used[id]; !ok {
			return id, nil
		}
	}
	return 0, fmt.Errorf("%w: all %d %s are in use", ErrFull, limit, what)
}

// Room is what a header has left for tokens.
type Room struct {
	Tokens   int // numbers that are free, of [MaxTokens]
	Keyslots int // numbers that are free, of [MaxKeyslots]
	Bytes    int // bytes of JSON that are free
	KeyAreas int // how many more keyslots have room for their material, at most [MaxKeyslots]
}

// Room returns what is left for tokens.
func (h *Header) Room() Room {
	// cryptsetup keeps a zero byte behind the text.
	free := int(h.Size) - binarySize - 1 - h.Metadata.Length
	return Room{
		Tokens:   MaxTokens - len(h.Metadata.Tokens),
		Keyslots: MaxKeyslots - len(h.Metadata.Keyslots),
		Bytes:    max(free, 0),
		KeyAreas: h.keyAreas(),
	}
}

// keyAreas looks for gaps as cryptsetup does (lib/luks2/luks2_json_metadata.c,
// LUKS2_find_area_gap): between the second header and the end of the area for keyslots.
func (h *Header) keyAreas() int {
	type span struct{ from, to int64 }
	var used []span
	var need int64
	for _, k := range h.Metadata.Keyslots {
		from, errFrom := strconv.ParseInt(k.Area.Offset, 10, 63)
		size, errSize := strconv.ParseInt(k.Area.Size, 10, 62)
		if errFrom != nil || errSize != nil || from < 0 || size < 0 {
			return 0
		}
		used = append(used, span{from, from + size})
		if k.Type == "luks2" {
			need = max(need, areaSize(k.KeySize))
		}
	}
	all, err := strconv.ParseInt(h.Metadata.Config.KeyslotsSize, 10, 62)
	if err != nil || need == 0 {
		return 0
	}
	begin := 2 * h.Size
	used = append(used, span{begin + all, begin + all})
	slices.SortFunc(used, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var n int64
	for _, u := range used {
		n += max(u.from-begin, 0) / need
		begin = max(begin, u.to)
	}
	return int(min(n, MaxKeyslots))
}

// areaSize is what a keyslot's material takes: the key in 4000 stripes, in whole
// sectors (lib/luks2/luks2_keyslot_luks2.c).
func areaSize(keySize int) int64 {
	const stripes, sector = 4000, 4096
	return (int64(min(keySize, 1<<20))*stripes + sector - 1) / sector * sector
}

// Cost returns how many bytes of a header a token takes whose text has the length,
// in the form that Token.MarshalJSON returns: its name, quotes, a colon and a comma
// come on top.
func Cost(id, length int) int { return length + len(strconv.Itoa(id)) + len(`"":,`) }
