package shop

// kinds are the categories a shop may have: the price in the middle and what is sold.
var kinds = [...]struct {
	name  string
	price float64
	nouns [6]string
}{
	{"lighting", 60, [6]string{"Lamp", "Pendant", "Lantern", "Floor Light", "Sconce", "Candle Set"}},
	{"kitchen", 35, [6]string{"Pan", "Knife", "Kettle", "Bowl", "Grinder", "Cutting Board"}},
	{"coffee", 45, [6]string{"Mug", "Dripper", "Espresso Pot", "Beans", "Scale", "Milk Jug"}},
	{"bedding", 80, [6]string{"Duvet", "Pillow", "Sheet Set", "Blanket", "Throw", "Mattress Pad"}},
	{"furniture", 260, [6]string{"Chair", "Table", "Stool", "Bookshelf", "Bench", "Sideboard"}},
	{"garden", 30, [6]string{"Planter", "Shears", "Watering Can", "Trowel", "Hammock", "Bird Feeder"}},
	{"tools", 55, [6]string{"Hammer", "Drill", "Screwdriver Set", "Saw", "Workbench", "Tape Measure"}},
	{"outdoor", 120, [6]string{"Tent", "Backpack", "Sleeping Bag", "Stove", "Headlamp", "Trekking Poles"}},
	{"cycling", 140, [6]string{"Helmet", "Pedals", "Saddle", "Pump", "Bike Light", "Pannier"}},
	{"running", 95, [6]string{"Running Shoes", "Shorts", "Vest", "Belt", "Socks", "Cap"}},
	{"fitness", 50, [6]string{"Kettlebell", "Yoga Mat", "Resistance Band", "Foam Roller", "Bench Pad", "Jump Rope"}},
	{"watches", 210, [6]string{"Watch", "Chronograph", "Strap", "Travel Clock", "Watch Roll", "Diver"}},
	{"jewellery", 130, [6]string{"Ring", "Necklace", "Earrings", "Bracelet", "Brooch", "Anklet"}},
	{"bags", 110, [6]string{"Tote", "Satchel", "Weekender", "Wallet", "Clutch", "Suitcase"}},
	{"shoes", 105, [6]string{"Boots", "Sneakers", "Loafers", "Sandals", "Clogs", "Derbies"}},
	{"knitwear", 85, [6]string{"Jumper", "Cardigan", "Scarf", "Beanie", "Gloves", "Poncho"}},
	{"shirts", 55, [6]string{"Shirt", "Tee", "Polo", "Blouse", "Overshirt", "Tunic"}},
	{"audio", 150, [6]string{"Headphones", "Speaker", "Turntable", "Earbuds", "Amplifier", "Radio"}},
	{"photo", 240, [6]string{"Camera", "Lens", "Tripod", "Film Pack", "Camera Strap", "Light Meter"}},
	{"gaming", 65, [6]string{"Controller", "Headset", "Board Game", "Puzzle", "Console Stand", "Card Deck"}},
	{"books", 20, [6]string{"Novel", "Atlas", "Cookbook", "Field Guide", "Poetry", "Biography"}},
	{"stationery", 15, [6]string{"Notebook", "Fountain Pen", "Pencil Set", "Desk Pad", "Ink", "Planner"}},
	{"toys", 28, [6]string{"Train Set", "Building Blocks", "Plush Bear", "Kite", "Doll House", "Marble Run"}},
	{"beauty", 25, [6]string{"Soap", "Hand Cream", "Perfume", "Hair Oil", "Face Mask", "Razor"}},
	{"pets", 32, [6]string{"Dog Bed", "Leash", "Cat Tree", "Food Bowl", "Scratching Post", "Harness"}},
	{"baby", 40, [6]string{"Stroller Toy", "Swaddle", "Bib Set", "Rattle", "Bath Seat", "Carrier"}},
}

// styles names both directions of every latent dimension.
var styles = [dims][2]string{
	{"minimal", "ornate"},
	{"bold", "muted"},
	{"classic", "modern"},
	{"rugged", "delicate"},
	{"handmade", "technical"},
	{"playful", "formal"},
	{"natural", "glossy"},
	{"compact", "generous"},
}

var materials = [...]string{"Oak", "Linen", "Steel", "Wool", "Leather", "Cork", "Brass", "Cotton", "Ceramic", "Bamboo", "Canvas", "Glass"}

var brands = [...]string{"Aldermoor", "Bexley & Finch", "Corvane", "Dunmere", "Eastwick", "Fennel Lane", "Grovehand", "Hallvard", "Inkstone", "Juniper Row", "Kestrel", "Lowtide"}

var segments = [...]string{"homebody", "outdoors", "fashion", "tech", "family", "collector", "athlete", "gift_giver"}

var ageBands = [...]string{"18-24", "25-34", "35-44", "45-54", "55-64", "65+"}

var countries = [...]string{"DE", "FR", "GB", "NL", "SE", "ES", "IT", "PL", "US", "CA", "BR", "JP"}

var devices = [...]string{"mobile", "desktop", "tablet"}

var pages = [...]string{"category", "search", "product", "checkout"}

// byHour is the traffic of the hours of a day, UTC: a quiet night, a lunch break, an evening peak.
var byHour = [24]uint8{30, 20, 14, 11, 10, 12, 20, 33, 48, 58, 64, 70, 78, 72, 66, 66, 70, 80, 95, 108, 112, 100, 76, 50}
